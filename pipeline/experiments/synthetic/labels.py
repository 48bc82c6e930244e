"""Let the teachers label the student's inputs: those they were trained on, or fresh ones.

One item per seed: `<weak representation>.<inputs>` -> labels (tasks, n).  `controls-<seed>`: `<panel>.<control>` ->
labels of fresh inputs by control teachers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.synthetic.common import controls, fitting
from pipeline.experiments.synthetic.common.panels import SAMPLES, control_unit, unit, unpack, with_controls
from pipeline.experiments.synthetic.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Weak labels of every seed."""
    bundles, inputs = (upstream["data"], upstream["represent"], upstream["weak"]), settings.labels.inputs
    real = {unit(seed): (seed, *bundles, inputs) for seed in settings.data.seeds}
    real |= {unit(seed): (seed, *bundles, inputs[:1]) for seed in settings.data.further_seeds}
    control = {control_unit(seed): (seed, *bundles) for seed in with_controls(settings.data.seeds, upstream["weak"])}
    return {**pool.map(label, real), **pool.map(label_by_controls, control)}


def label(
    seed: int,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
    inputs: tuple[str, ...],
) -> Arrays:
    """Weak labels of one seed."""
    samples, networks, teachers = data[unit(seed)], represent[unit(seed)], weak[unit(seed)]
    return {
        f"{name}.{sample}": fitting.predict(
            fitting.features(unpack(name, networks), samples[SAMPLES[sample]]), heads
        ).astype(np.float32)
        for name, heads in teachers.items()
        for sample in inputs
    }


def label_by_controls(
    seed: int, data: Mapping[str, Arrays], represent: Mapping[str, Arrays], weak: Mapping[str, Arrays]
) -> Arrays:
    """Labels of one seed's control teachers."""
    samples, stored = data[unit(seed)], weak[control_unit(seed)]
    networks = {**represent[unit(seed)], **samples}
    return {
        name: controls.predict(*name.split("."), stored, networks, samples[SAMPLES["fresh"]]).astype(np.float32)
        for name in stored
    }
