"""Pretraining of a ladder of language models: tokenizer and rows once, then network after network, each resumable.

All networks see the same rows in the same order, as the Pythia suite has it.  What each step learns depends on the
settings alone, so a killed run goes on to the same curve.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import GPTNeoXForCausalLM

from pipeline.core import artifacts
from pipeline.scale import corpora, language, machine, tokenizing, training
from pipeline.scale.language import Shape
from pipeline.scale.throughput import Meter, flops_per_token

BETAS, CLIP, FINAL_RATE = (0.9, 0.95), 1.0, 0.1  # as in every configuration of Pythia, with a cosine between
KEPT_LOSSES = 100  # of the curve, about


class Ladder(NamedTuple):
    """What the networks share; batch_tokens, warmup (share of the steps) and weight_decay are the optimiser's."""

    shares: Mapping[str, float]
    vocabulary: int
    context: int
    tokens: int
    held_out: int
    batch_tokens: int
    warmup: float
    weight_decay: float
    seed: int


class Material(NamedTuple):
    """Tokenizer, training rows (n, context) and held-out rows by corpus."""

    tokenizer: Tokenizer
    training: np.ndarray
    held_out: dict[str, np.ndarray]


def identity(settings: Mapping[str, Any]) -> str:
    """Hash of settings and of the code that turns them into weights."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in (__file__, *(str(module.__file__) for module in (corpora, language, tokenizing, training))):
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def material(ladder: Ladder, paths: Mapping[str, Path], home: Path) -> Material:
    """Tokenizer and rows, made once and kept in ``home``."""
    kept, names = home / "rows.safetensors", list(paths)
    if not kept.exists():
        tokenizer, rows = _made(ladder, paths)
        artifacts.write_bytes(home / "tokenizer.json", tokenizer.to_str().encode())
        artifacts.write_arrays(kept, rows)
    rows = artifacts.read_item(kept)
    tokenizer = Tokenizer.from_file(str(home / "tokenizer.json"))
    return Material(tokenizer, rows["training"], {name: rows[f"held_out/{name}"] for name in names})


def pretrain(
    shape: Shape, learning_rate: float, ladder: Ladder, found: Material, folder: Path, throughput: Path
) -> tuple[GPTNeoXForCausalLM, dict[str, Any]]:
    """Trained network, and its sizes, curve and held-out loss by corpus.

    folder: its state while it trains; throughput: where its rate is written.  Raises FloatingPointError if it diverges.
    """
    model = language.network(shape, ladder.vocabulary, ladder.context, ladder.seed)
    sizes = language.sizes(model)
    rows_a_step = ladder.batch_tokens // ladder.context
    steps = max(1, ladder.tokens // ladder.batch_tokens)
    recipe = training.Recipe(
        steps, learning_rate, ladder.weight_decay, BETAS, ladder.warmup, "cosine", FINAL_RATE, CLIP, "bfloat16"
    )
    meter = Meter(flops_per_token(sizes["matrix_weights"], shape.layers, shape.hidden, ladder.context), throughput)
    order = corpora.order(ladder.seed, len(found.training), steps * rows_a_step)
    batch_of = batches(found.training, order, rows_a_step)
    curve = training.train(model, batch_of, language.next_token_loss, recipe, folder, meter=meter)[:, 0]
    return model, {
        **sizes,
        "tokens": steps * ladder.batch_tokens,
        "steps": steps,
        "curve": _thinned(curve),
        "held_out": {name: _measured(model, rows) for name, rows in found.held_out.items()},
    }


def batches(rows: np.ndarray, order: np.ndarray, size: int) -> Callable[[int], training.Batch]:
    """Batch of a step: ``size`` rows in the given order, from tokens that lie on the device already."""
    device = machine.device()
    tokens = torch.from_numpy(rows.astype(np.int32)).to(device)
    places = torch.from_numpy(order).to(device)
    shape = (size, rows.shape[1])

    def batch_of(step: int) -> training.Batch:
        chosen = tokens[places[step * size : (step + 1) * size]]
        return training.Batch((chosen,), (float(language.predicted(shape)),), size * rows.shape[1])

    return batch_of


def _made(ladder: Ladder, paths: Mapping[str, Path]) -> tuple[Tokenizer, artifacts.Arrays]:
    texts = {name: corpora.divided(name, corpora.documents(path), ladder.seed) for name, path in paths.items()}
    tokenizer = tokenizing.trained((text for one in texts.values() for text in one.training), ladder.vocabulary)
    training_texts = {name: one.training for name, one in texts.items()}
    rows = {"training": corpora.training_rows(tokenizer, training_texts, ladder.shares, ladder.tokens, ladder.context)}
    for name, one in texts.items():
        rows[f"held_out/{name}"] = corpora.held_out_rows(tokenizer, one.held_out, ladder.held_out, ladder.context)
    return tokenizer, rows


def _measured(model: GPTNeoXForCausalLM, rows: np.ndarray) -> dict[str, float]:
    loss = language.held_out_loss(model, rows)
    return {"loss": _short(loss), "perplexity": _short(math.exp(loss))}


def _thinned(curve: np.ndarray) -> dict[str, list[float]]:
    """Losses along training, the last one always among them."""
    places = sorted({*range(0, len(curve), max(1, len(curve) // KEPT_LOSSES)), len(curve) - 1})
    return {"step": [place + 1 for place in places], "loss": [_short(curve[place]) for place in places]}


def _short(value: float) -> float:
    return float(f"{value:.6g}")
