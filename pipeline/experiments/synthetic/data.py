"""Draw the truth network, its tasks and every sample.

One item per seed: `truth.*`, `pretraining_{heads,inputs,truth}`, `heads` and the three samples of the M tasks, each
with inputs (M, n, d) and truth (M, n): for the teacher (`inputs`), new ones for the student, and for evaluation.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.synthetic.common.panels import pack, unit
from pipeline.experiments.synthetic.settings import Data, Settings
from pipeline.models.network import heads, mlp


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Data of every seed."""
    return pool.map(draw, {unit(seed): (seed, settings.data) for seed in settings.data.every_seed()})


def draw(seed: int, data: Data) -> Arrays:
    """Data of one seed."""
    network = mlp.initialise(_stream(seed, "truth"), data.input_dimension, data.width, data.truth_blocks)
    pretraining_heads = mlp.initialise_heads(_stream(seed, "pretraining-heads"), data.pretraining_tasks, data.width)
    task_heads = mlp.initialise_heads(_stream(seed, "task-heads"), data.tasks, data.width)
    return {
        **pack("truth", network),
        "pretraining_heads": pretraining_heads,
        "heads": task_heads,
        **_sample(seed, "pretraining_", data, data.pretraining_samples, network, pretraining_heads),
        **_sample(seed, "", data, data.samples, network, task_heads),
        **_sample(seed, "fresh_", data, data.samples, network, task_heads),
        **_sample(seed, "evaluation_", data, data.evaluation_samples, network, task_heads),
    }


def _sample(
    seed: int, prefix: str, data: Data, size: int, network: mlp.Representation, task_heads: np.ndarray
) -> Arrays:
    shape = (len(task_heads), size, data.input_dimension)
    inputs = _stream(seed, f"{prefix}inputs").normal(0, data.input_deviation, shape).astype(np.float32)
    truth = np.stack(
        [heads.predict(mlp.represent(network, x), head) for x, head in zip(inputs, task_heads, strict=True)]
    )
    return {f"{prefix}inputs": inputs, f"{prefix}truth": truth.astype(np.float32)}


def _stream(seed: int, name: str) -> np.random.Generator:
    return streams.generator(seed, f"synthetic/{name}")
