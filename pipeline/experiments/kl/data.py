"""Draw the truth network, its classification tasks and every sample.

One item per seed: `truth.*`, the experts' `pretraining_{heads,inputs,truth}`, `heads`, `mixtures`, and the samples of
the M tasks, each with inputs (M, n, d) and, for either family of truths, `<family>_<sample>truth` (M, n, k).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.kl.common import students
from pipeline.experiments.kl.settings import Data, Settings
from pipeline.experiments.synthetic.common.panels import SAMPLES, pack, unit
from pipeline.models.network import mlp
from pipeline.models.softmax import heads as softmax


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Data of every seed."""
    data = settings.data
    fewer = data.model_copy(update={"tasks": data.further.tasks})
    units = {unit(seed): (seed, data) for seed in data.seeds} | {
        unit(seed): (seed, fewer) for seed in data.further.seeds
    }
    return pool.map(draw, units)


def draw(seed: int, data: Data) -> Arrays:
    """Data of one seed."""
    network = mlp.initialise(_stream(seed, "truth"), data.input_dimension, data.width, data.truth_blocks)
    (reference,) = students.features(network, _inputs(seed, "reference-", data, 1, data.samples))
    experts = _heads(seed, "pretraining-heads", data, reference, data.pretraining_tasks)
    drawn = {
        **pack("truth", network),
        "pretraining_heads": experts,
        "heads": _heads(seed, "task-heads", data, reference, data.tasks),
        "mixtures": _mixtures(seed, data),
        "pretraining_inputs": _inputs(seed, "pretraining_", data, data.pretraining_tasks, data.pretraining_samples),
    }
    represented = students.features(network, drawn["pretraining_inputs"])
    drawn["pretraining_truth"] = students.predict("softmax", represented, experts, experts, data.floor)
    for name in SAMPLES.values():
        drawn.update(_sample(seed, name.removesuffix("inputs"), data, network, drawn))
    return {name: array.astype(np.float32) if "truth" in name else array for name, array in drawn.items()}


def _sample(seed: int, prefix: str, data: Data, network: mlp.Representation, drawn: Arrays) -> Arrays:
    size = data.evaluation_samples if prefix == "evaluation_" else data.samples
    inputs = _inputs(seed, prefix, data, data.tasks, size)
    represented, experts = students.features(network, inputs), drawn["pretraining_heads"]
    fitted = {"mixture": drawn["mixtures"], "softmax": drawn["heads"]}
    return {
        f"{prefix}inputs": inputs,
        **{
            f"{family}_{prefix}truth": students.predict(family, represented, fitted[family], experts, data.floor)
            for family in students.FAMILIES
        },
    }


def _mixtures(seed: int, data: Data) -> np.ndarray:
    """Weights of the experts (tasks, experts): drawn inside the simplex, and vertices for the last tasks."""
    drawn = _stream(seed, "mixtures").dirichlet(np.full(data.pretraining_tasks, data.mixture_concentration), data.tasks)
    vertices = np.arange(data.boundary_tasks)
    drawn[data.tasks - data.boundary_tasks :] = np.eye(data.pretraining_tasks)[vertices % data.pretraining_tasks]
    return drawn


def _inputs(seed: int, prefix: str, data: Data, tasks: int, size: int) -> np.ndarray:
    stream = _stream(seed, f"{prefix}inputs")
    return stream.normal(0, data.input_deviation, (tasks, size, data.input_dimension)).astype(np.float32)


def _heads(seed: int, name: str, data: Data, reference: np.ndarray, count: int) -> np.ndarray:
    """PyTorch's default heads, moved and scaled on a reference sample so that no class wins and none saturates.

    Every class has mean logit 0, and the logits of a task together the root mean square `logit_deviation`.
    """
    heads = softmax.initialise(_stream(seed, name), count, data.width, data.classes).astype(np.float64)
    logits = reference.astype(np.float64) @ heads[:, :-1] + heads[:, -1:]
    centre = logits.mean(axis=1, keepdims=True)
    scale = data.logit_deviation / np.sqrt(np.mean(np.square(logits - centre), axis=(1, 2), keepdims=True))
    return (np.concatenate([heads[:, :-1], heads[:, -1:] - centre], axis=1) * scale).astype(np.float32)


def _stream(seed: int, name: str) -> np.random.Generator:
    return streams.generator(seed, f"kl/{name}")
