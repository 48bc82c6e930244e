"""Causal language models of GPT-NeoX's kind (the Pythia shapes): made, measured, saved as the hub saves them."""

import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from pipeline.scale import tokenizing

ROTARY_SHARE = 0.25  # of a head's dimensions, as in every Pythia
MEASURED_ROWS = 8


class Shape(NamedTuple):
    """Sizes of a network."""

    layers: int
    hidden: int
    heads: int
    intermediate: int


def network(shape: Shape, vocabulary: int, context: int, seed: int) -> GPTNeoXForCausalLM:
    """Network with fresh weights: parallel residuals, rotary positions, no dropout, input and output not tied.

    Weights as Pythia's configurations have them: normal with deviation sqrt(2 / (5 hidden)), and
    2 / (layers sqrt(hidden)) for what is added to the residual stream.
    """
    config = GPTNeoXConfig(
        vocab_size=vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate,
        max_position_embeddings=context,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": ROTARY_SHARE},
        initializer_range=math.sqrt(2 / (5 * shape.hidden)),
        use_cache=False,
        bos_token_id=0,
        eos_token_id=0,
    )
    torch.manual_seed(seed)
    made = GPTNeoXForCausalLM(config)
    with torch.no_grad():
        for name, weights in made.named_parameters():
            if name.endswith(("attention.dense.weight", "dense_4h_to_h.weight")):
                weights.normal_(0.0, 2 / (shape.layers * math.sqrt(shape.hidden)))
    return made


def next_token_loss(model: torch.nn.Module, rows: Tensor) -> Tensor:
    """Sum over all places but the first of -log p(token), in nats, shape (1,); rows (batch, context) of tokens."""
    rows = rows.long()
    logits = model(input_ids=rows[:, :-1]).logits
    return cross_entropy(logits.flatten(0, 1).float(), rows[:, 1:].flatten(), reduction="sum").reshape(1)


def held_out_loss(model: torch.nn.Module, rows: np.ndarray) -> float:
    """Mean loss over rows (n, context) that training never saw, in nats a token, computed in float32."""
    device = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        batches = torch.from_numpy(rows.astype(np.int64)).split(MEASURED_ROWS)
        total = sum(float(next_token_loss(model, batch.to(device))) for batch in batches)
    return total / predicted(rows.shape)


def predicted(shape: tuple[int, ...]) -> int:
    """Tokens that rows of this shape (n, context) ask for: all but the first of each row."""
    return shape[0] * (shape[1] - 1)


def sizes(model: GPTNeoXForCausalLM) -> dict[str, int]:
    """Parameters in all, of the network whose features are read, and of the matrices that every token passes."""
    count = sum(weights.numel() for weights in model.parameters())
    matrices = sum(weights.numel() for weights in model.parameters() if weights.ndim == 2)
    return {
        "parameters": count,
        "read_parameters": count - model.lm_head.weight.numel(),
        "matrix_weights": matrices - model.gpt_neox.embed_in.weight.numel(),
    }


def save(model: GPTNeoXForCausalLM, tokenizer: Tokenizer, folder: Path) -> None:
    """Config, tokenizer and safetensors in float32; ``folder`` is read by `from_pretrained` like one of the hub."""
    folder.mkdir(parents=True)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    tokenizing.for_the_hub(tokenizer, model.config.max_position_embeddings).save_pretrained(folder)
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for path in folder.glob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()), indent=2, sort_keys=True) + "\n")
