"""Pretrain both models on strings of the grammar.  An item a seed and model, `<seed>.<strong or weak>`: its weights."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.contrastive.rewards import grammar_of
from pipeline.experiments.contrastive.settings import Model, Settings
from pipeline.models import alignment, sequences

Size = Literal["strong", "weak"]
SIZES: tuple[Size, ...] = ("strong", "weak")


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Both models of every seed."""
    units = {
        f"seed-{seed}.{size}": (seed, size, settings, upstream["data"])
        for seed in settings.data.seeds
        for size in SIZES
    }
    return pool.map(pretrain, units)


def chosen(size: Size, settings: Settings) -> Model:
    """Settings of one of the models."""
    return settings.represent.strong if size == "strong" else settings.represent.weak


def network(seed: int, size: Size, settings: Settings) -> sequences.Sequences:
    """One of the models before pretraining."""
    own = settings.data
    return sequences.made(seed, chosen(size, settings).network, own.prompt + own.length, own.words, own.words)


def loaded(seed: int, size: Size, settings: Settings, arrays: Mapping[str, np.ndarray]) -> sequences.Sequences:
    """A model with the weights given."""
    model = network(seed, size, settings)
    sequences.load(model, arrays)
    return model


def pretrain(seed: int, size: Size, settings: Settings, data: Mapping[str, Arrays]) -> Arrays:
    """Weights of a model trained on the next token of ever new strings, from their third token on."""
    language, training = grammar_of(data[f"seed-{seed}"]), chosen(size, settings).training
    model, stream = network(seed, size, settings), streams.generator(seed, f"contrastive/strings/{size}")

    def loss(step: int) -> torch.Tensor:
        tokens = language.strings(stream, training.batch_size, settings.data.prompt + settings.data.length)
        return -alignment.log_probability(model, tokens, 2).mean()

    losses = sequences.train(model, loss, training)
    return {**sequences.weights(model), "losses": np.array(losses)}
