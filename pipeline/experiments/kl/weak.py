"""Fit the teachers: softmax heads on the frozen weak representation and true labels, by cross-entropy to its optimum.

One item per seed: `<family>.<weak representation>` -> heads (tasks, width + 1, k).  `controls-<seed>`: control
teachers, as common/controls.py stores them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.kl.common import controls, students
from pipeline.experiments.kl.settings import Exact, Settings, Weak
from pipeline.experiments.synthetic.common.panels import PANELS, control_unit, unit, unpack


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers of every seed."""
    data, represent, floor = upstream["data"], upstream["represent"], settings.data.floor
    units = {unit(seed): (seed, data, represent, floor, settings.weak) for seed in settings.data.every_seed()}
    real = pool.map(fit_teachers, units)
    control = {
        control_unit(seed): (seed, data, represent, real[unit(seed)], floor, settings.weak)
        for seed in settings.data.seeds
        if settings.weak.control_tasks
    }
    return {**real, **pool.map(fit_controls, control)}


def fit_controls(
    seed: int, data: Mapping[str, Arrays], represent: Mapping[str, Arrays], real: Arrays, floor: float, settings: Weak
) -> Arrays:
    """Control teachers of one seed."""
    networks, tasks = represent[unit(seed)], settings.control_tasks
    return controls.teachers(seed, data[unit(seed)], networks, real, tasks, floor, settings)


def fit_teachers(
    seed: int, data: Mapping[str, Arrays], represent: Mapping[str, Arrays], floor: float, exact: Exact
) -> Arrays:
    """Teachers of one seed, a task each, for both families of truths and each weak representation."""
    samples, fitted = data[unit(seed)], {}
    for name in sorted({panel.weak for panel in PANELS.values()}):
        represented = students.features(unpack(name, represent[unit(seed)]), samples["inputs"])
        for family in students.FAMILIES:
            student, heads = students.Student("softmax", "cross_entropy"), np.empty(0)
            found = students.fit(student, represented, samples[f"{family}_truth"], heads, floor, exact)
            fitted[f"{family}.{name}"] = found["fitted"]
    return fitted
