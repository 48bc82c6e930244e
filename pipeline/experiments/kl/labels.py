"""Let the teachers label the student's inputs: those they were trained on, or fresh ones.

One item per seed: `<family>.<weak representation>.<inputs>` -> probabilities (tasks, n, k), floored; and
`controls-<seed>`: `<panel>.<family>.<control>` likewise, for fresh inputs.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.kl.common import controls, students
from pipeline.experiments.kl.settings import Settings
from pipeline.experiments.synthetic.common.panels import SAMPLES, control_unit, unit, unpack, with_controls


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Weak labels of every seed."""
    bundles = (upstream["data"], upstream["represent"], upstream["weak"])
    arguments = (*bundles, settings.labels.inputs, settings.data.floor)
    real = {unit(seed): (seed, *arguments) for seed in settings.data.every_seed()}
    control = {
        control_unit(seed): (seed, *bundles, settings.data.floor)
        for seed in with_controls(settings.data.seeds, upstream["weak"])
    }
    return {**pool.map(label, real), **pool.map(label_by_controls, control)}


def label_by_controls(
    seed: int, data: Mapping[str, Arrays], represent: Mapping[str, Arrays], weak: Mapping[str, Arrays], floor: float
) -> Arrays:
    """Labels of fresh inputs by one seed's control teachers."""
    samples, stored = data[unit(seed)], weak[control_unit(seed)]
    networks, inputs = {**represent[unit(seed)], **samples}, samples[SAMPLES["fresh"]]
    return {name: controls.predict(name, stored, networks, inputs, floor).astype(np.float32) for name in stored}


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
