"""Align the weak model by DPO on pairs labelled by the true reward, a share of them flipped.

An item a seed and noise, `<seed>.<noise>`: its weights.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.contrastive.represent import Size, loaded
from pipeline.experiments.contrastive.rewards import grammar_of, reward
from pipeline.experiments.contrastive.settings import Settings, named
from pipeline.models import alignment, decoding, sequences

Array = np.ndarray


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """The aligned weak model of every seed and noise."""
    bundles = (settings, upstream["data"], upstream["represent"])
    return pool.map(align, {named(seed, noise): (seed, noise, *bundles) for seed, noise in settings.units()})


def align(
    seed: int, noise: float, settings: Settings, data: Mapping[str, Arrays], represent: Mapping[str, Arrays]
) -> Arrays:
    """Weights of the weak model after DPO."""
    model = loaded(seed, "weak", settings, represent[f"seed-{seed}.weak"])
    prefer(seed, "weak", model, noise, settings.weak.training, settings, data[f"seed-{seed}"])
    return sequences.weights(model)


def prefer(
    seed: int,
    size: Size,
    model: sequences.Sequences,
    noise: float,
    training: sequences.Training,
    settings: Settings,
    drawn: Mapping[str, Array],
) -> None:
    """DPO of a model on its own samples at the teacher's prompts; what a noise flips each larger one flips too."""
    own, stream = settings.weak, streams.generator(seed, f"contrastive/pairs/{size}")
    prompts = np.repeat(drawn["teacher"], own.samples, axis=0)
    tokens = decoding.written(decoding.Reader(model), prompts, settings.data.length, own.temperature, stream)
    rewards = reward(grammar_of(drawn), tokens, settings.data).reshape(-1, own.samples)
    chosen, rejected = ends(rewards, stream.random(len(rewards)) < noise)
    rows = np.flatnonzero(rewards.max(axis=1) > rewards.min(axis=1))
    strings = tokens.reshape(*rewards.shape, -1)
    order = streams.generator(seed, f"contrastive/alignment/{size}")
    pairs = (strings[rows, chosen[rows]], strings[rows, rejected[rows]])
    alignment.dpo(model, *pairs, settings.data.prompt, own.beta, training, order)


def ends(rewards: Array, flipped: Array) -> tuple[Array, Array]:
    """Places (count,) of the chosen and the rejected among rewards (count, samples): best and worst, or flipped."""
    best, worst = rewards.argmax(axis=1), rewards.argmin(axis=1)
    return np.where(flipped, worst, best), np.where(flipped, best, worst)
