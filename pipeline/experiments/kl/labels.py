"""Let the teachers label the student's inputs: those they were trained on, or fresh ones.

One item per seed: `<family>.<weak representation>.<inputs>` -> probabilities (tasks, n, k), floored.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.kl.common import students
from pipeline.experiments.kl.settings import Settings
from pipeline.experiments.synthetic.common.panels import SAMPLES, unit, unpack


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Weak labels of every seed."""
    bundles = (upstream["data"], upstream["represent"], upstream["weak"])
    arguments = (*bundles, settings.labels.inputs, settings.data.floor)
    return pool.map(label, {unit(seed): (seed, *arguments) for seed in settings.data.seeds})


def label(
    seed: int,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
    inputs: tuple[str, ...],
    floor: float,
) -> Arrays:
    """Weak labels of one seed."""
    samples, networks, teachers = data[unit(seed)], represent[unit(seed)], weak[unit(seed)]
    labels = {}
    for name, heads in teachers.items():
        network = unpack(name.split(".")[1], networks)
        for sample in inputs:
            represented = students.features(network, samples[SAMPLES[sample]])
            predicted = students.predict("softmax", represented, heads, np.empty(0), floor)
            labels[f"{name}.{sample}"] = predicted.astype(np.float32)
    return labels
