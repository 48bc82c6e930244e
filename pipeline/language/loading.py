"""A pretrained network and its tokenizer, from a folder in the hub's format, from the hub, or from a GGUF file."""

import os
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
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
    network.eval().to(os.environ.get("W2S_DEVICE", "cpu"))
    return Loaded(tokenizer, network, network.config.hidden_size, network.config.num_hidden_layers)


def _attempt(what: str, factory: Any, place: str | Path, arguments: dict[str, Any]) -> Any:
    try:
        return factory.from_pretrained(place, **arguments)
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{place}: the {what} cannot be loaded ({reason}); for a hub model connect once, for a folder save "
            "config, tokenizer and safetensors in it"
        ) from None
