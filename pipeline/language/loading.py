"""A pretrained network and its tokenizer, from a folder in the hub's format, from the hub, or from a GGUF file."""

import os
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from safetensors import SafetensorError
from tqdm import tqdm
from transformers import AutoModel, AutoTokenizer, GgufConfig, modeling_gguf_pytorch_utils

from pipeline.core.errors import InputError

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# Its bar knows no terminal; ours is silent without one.
modeling_gguf_pytorch_utils.tqdm = partial(tqdm, disable=None, leave=False)
PROBE = "What is a word?"


class Loaded(NamedTuple):
    """A network without its language-model head, and its tokenizer."""

    tokenizer: Any
    network: torch.nn.Module
    hidden: int
    layers: int


def load(place: str | Path, precision: str, revision: str | None = None) -> Loaded:
    """Network in evaluation mode on the device of W2S_DEVICE (by default the CPU).

    place: name on the hub with its full revision, folder in the same format, or GGUF file.  Raises InputError that
    names what is missing.  Safetensors only and no remote code.
    """
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    arguments: dict[str, Any] = {"trust_remote_code": False, "revision": revision or "main"}
    options: dict[str, Any] = {"dtype": PRECISIONS[precision], "use_safetensors": True}
    if str(place).endswith(".gguf"):
        place, arguments["gguf_file"] = Path(place).parent, Path(place).name
        # Unpacked once: the packed kernels of this format compute in float32 and are slower.
        options["quantization_config"] = GgufConfig(dequantize=True)
    tokenizer = _attempt("tokenizer", AutoTokenizer, place, arguments)
    network = _attempt("network", AutoModel, place, arguments | options)
    if not tokenizer(PROBE)["input_ids"]:  # the library makes an empty one where the files are missing
        raise InputError(
            f"{place}: the tokenizer cannot be loaded (it knows no word); save its files beside the network"
        )
    tokenizer.truncation_side, tokenizer.padding_side = "left", "right"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # never read: the attention mask leaves it out
    _check(place, tokenizer, network)
    network.eval().to(os.environ.get("W2S_DEVICE", "cpu"))
    return Loaded(tokenizer, network, network.config.hidden_size, network.config.num_hidden_layers)


def _check(place: str | Path, tokenizer: Any, network: Any) -> None:
    """Raise InputError where a text could not be read, whatever it says."""
    if network.config.is_encoder_decoder:
        raise InputError(f"{place}: a network of encoder and decoder is not supported; take one of the two kinds alone")
    if tokenizer.pad_token is None:
        raise InputError(
            f"{place}: the tokenizer has neither a pad_token nor an eos_token, and batches need one; name it in "
            "tokenizer_config.json"
        )
    known = network.get_input_embeddings().num_embeddings
    if tokenizer.pad_token_id >= known:
        raise InputError(
            f"{place}: the pad_token {tokenizer.pad_token} has the number {tokenizer.pad_token_id}, and the network "
            f"embeddings of {known} tokens; name one of these as pad_token in tokenizer_config.json"
        )


def positions(network: torch.nn.Module) -> int | None:
    """Tokens for which a network has learned positions; None where positions are computed, and so have no end."""
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Embedding) and ("position" in name or name.endswith("wpe")):
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    return None


def _attempt(what: str, factory: Any, place: str | Path, arguments: dict[str, Any]) -> Any:
    try:
        return factory.from_pretrained(place, **arguments)
    except SafetensorError as error:
        raise InputError(f"{place}: the weights are a git-lfs pointer, or cut ({error}); fetch the file") from None
    except RuntimeError as error:
        if "mismatch" not in str(error):
            raise
        raise InputError(
            f"{place}: the weights have other shapes than config.json says; take both from one revision"
        ) from None
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{place}: the {what} cannot be loaded ({reason}); for a hub model connect once, for a folder save "
            "config, tokenizer and safetensors in it"
        ) from None
