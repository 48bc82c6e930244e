"""Train students on the labels put together for them, and on true labels: of P(IK)'s rows, and of their own (ceiling).

Items: `<unit>` -> `students` (students, n) in the order of `plan`, `gold` and `ceiling` (n,): probabilities of class 1
for the test rows; and all arrays of labels, which are measured beside them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences.common import designs
from pipeline.experiments.selective.common import units
from pipeline.experiments.selective.common.plans import plan
from pipeline.experiments.selective.common.units import Unit
from pipeline.experiments.selective.settings import Settings
from pipeline.language import heads

Array = np.ndarray


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students of every unit."""
    bundles = (upstream["data"], upstream["represent"], upstream["labels"])
    named = units.units(settings.data)
    return pool.map(train, {name: (unit, settings, *bundles) for name, unit in named.items()})


def train(
    unit: Unit,
    settings: Settings,
    data: Mapping[str, Any],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
) -> Arrays:
    """All students of one unit."""
    parts, own = data[unit.name], labels[unit.name]
    x, truth = units.design(unit, data, represent), units.truth(unit, data).astype(np.float32)
    losses = [student.loss for student in plan(unit, settings)]
    targets = np.concatenate([own["targets"], truth[parts["weak"]][None]]).T
    fitted = fit(unit, settings, x[parts["weak"]], targets, [*losses, "cross_entropy"])
    gold = fit(unit, settings, x[parts["truth"]], truth[parts["truth"]][:, None], ["cross_entropy"])
    predicted = heads.predict(x[parts["test"]], fitted)[0]
    return {
        **own,
        "students": predicted[:-1].astype(np.float32),
        "ceiling": predicted[-1],
        "gold": heads.predict(x[parts["test"]], gold)[0, 0],
    }


def fit(unit: Unit, settings: Settings, features: Array, targets: Array, losses: Sequence[str]) -> Array:
    """Heads on targets (n, heads), weights (1, d + 1, heads)."""
    options = settings.strong.clusters if unit.drawn else settings.strong.fit
    order = designs.order(unit.draw, f"selective/{unit.dataset}/students", options.epochs, len(features))
    rates = np.full(len(losses), options.learning_rate)
    try:
        return heads.fit(
            features, targets, losses, rates, order, [options.epochs], options.batch_size, options.weight_decay
        )
    except FloatingPointError as error:
        key = "clusters" if unit.drawn else "fit"
        raise InputError(f"{unit.name}: {error}; lower strong.{key}.learning_rate in {{where}}") from None
