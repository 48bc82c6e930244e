"""Train the teachers on true labels of the truth half, frozen features.

Items: `<dataset>.<seed>`, and `.distinct` (no prompt twice) -> `<teacher>/weak` and `<teacher>/test`: probabilities of
class 1 (slot A is preferred).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences.common import at_hand, designs
from pipeline.experiments.preferences.common.designs import Unit
from pipeline.experiments.preferences.settings import Settings, Teacher, Weak
from pipeline.language import heads


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers of every set and seed."""
    settings = at_hand.present(settings, upstream)
    units = designs.units(settings, upstream["data"])
    bundles = (upstream["data"], upstream["represent"])
    return pool.map(teach, {name: (unit, settings.weak, *bundles) for name, unit in units.items()})


def teach(unit: Unit, weak: Weak, data: Mapping[str, Any], represent: Mapping[str, Arrays]) -> Arrays:
    """All teachers of one unit."""
    dataset, seed, table, found = unit.dataset, unit.seed, data[unit.dataset], {}
    rows, truth = designs.parts(table, unit, weak), designs.labels(table)
    for name, teacher in weak.teachers.items():
        views = designs.projected(represent[f"{dataset}.{teacher.rung}"], teacher.dimensions, seed, name)
        x = designs.design(views, designs.is_pairs(table), rows)
        weights = fit(x[rows.truth], truth[rows.truth], teacher, weak, seed, f"{dataset}/{name}")
        found[f"{name}/weak"] = heads.predict(x[rows.weak], weights)[0, 0]
        found[f"{name}/test"] = heads.predict(x[rows.test], weights)[0, 0]
    return found


def fit(features: np.ndarray, truth: np.ndarray, teacher: Teacher, weak: Weak, seed: int, name: str) -> np.ndarray:
    """One head on the first true labels of the half."""
    features, truth = features[: teacher.labels], truth[: teacher.labels]
    options = weak.fit
    order = designs.order(seed, f"{name}/teacher", options.epochs, len(features))
    try:
        return heads.fit(
            features,
            truth[:, None],
            ["cross_entropy"],
            np.array([options.learning_rate]),
            order,
            [options.epochs],
            options.batch_size,
            options.weight_decay,
        )
    except FloatingPointError as error:
        raise InputError(f"{name}: {error}; lower weak.fit.learning_rate in {{where}}") from None
