"""Fit students on weak labels, ceilings on true ones, and the strongest rung on the true labels that teachers saw.

Items: `<seed>` -> `<rung>/<teacher>` and `<rung>/ceiling`: predictions for all rows, (n,); `<rung>/<teacher>/radius`,
of the ball on which the student is the exact projection of its teacher; `teachers_labels`, of the strongest rung.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common import fitting
from pipeline.experiments.regression.settings import Settings

Array = np.ndarray
CEILING, LABELS = "ceiling", "teachers_labels"


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students of every seed."""
    bundles = (upstream["data"], upstream["represent"], upstream["labels"])
    return pool.map(train, {str(seed): (str(seed), settings, *bundles) for seed in settings.data.seeds})


def train(
    seed: str,
    settings: Settings,
    data: Mapping[str, Any],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
) -> Arrays:
    """All students of one seed; a control has one on the strongest rung alone."""
    truth, rows, taught = data["rows"]["label"].to_numpy(dtype=np.float64), data[seed]["weak"], labels[seed]
    found: Arrays = {}
    for rung in settings.strong.rungs:
        is_last = rung == settings.strong.rungs[-1]
        features = represent[rung]["features"]
        names = [name for name in settings.weak.taught() if name in settings.weak.teachers or is_last]
        targets = np.zeros((len(names) + 1, len(truth)))
        targets[:, rows] = [*(taught[name] for name in names), truth[rows]]
        fitted = fitting.fit_ridge(features, targets, rows)
        for place, name in enumerate([*names, CEILING]):
            found[f"{rung}/{name}"] = fitted.predictions[place]
            found[f"{rung}/{name}/radius"] = fitted.radius[[place]]
        if is_last:
            found |= _own_class(features, truth, data[seed]["truth"], rows, settings)
    return found


def _own_class(features: Array, truth: Array, seen: Array, rows: Array, settings: Settings) -> Arrays:
    """The strongest rung on the true labels of the first teacher, as a model of its own and as a teacher of itself."""
    first = next(iter(settings.weak.teachers.values()))
    other = fitting.fit_ridge(features, truth[None], seen[: first.labels]).predictions
    student = fitting.fit_ridge(features, other, rows)
    rung = settings.strong.rungs[-1]
    return {LABELS: other[0], f"{rung}/itself": student.predictions[0], f"{rung}/itself/radius": student.radius}
