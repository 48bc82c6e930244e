"""Fit the students of `regression`, and on the strongest rung and joined ones further ones on ever more weak labels.

Items: as in `regression`, and `<seed>` -> `<rung>/<teacher>/of-<size>` and its radius, fitted on the first ``size`` of
the student's rows.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.essays.settings import Settings
from pipeline.experiments.molecules.common import fitting
from pipeline.experiments.regression import strong as regression

Array = np.ndarray
SCALED_CONTROLS = ("random", "shuffled")  # whose curves stand beside those of the teachers


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
    """All students of one seed."""
    found = dict(regression.train(seed, settings, data, represent, labels))
    taught, rows = labels[seed], data[seed]["weak"]
    names = followed(settings)
    for rung in scaled(settings):
        features = represent[rung]["features"]
        targets = np.zeros((len(names), len(features)))
        targets[:, rows] = [taught[name] for name in names]
        for size in settings.strong.sizes:
            fitted = fitting.fit_ridge(features, targets, rows[:size])
            for place, name in enumerate(names):
                found[item(rung, name, size)] = fitted.predictions[place]
                found[f"{item(rung, name, size)}/radius"] = fitted.radius[[place]]
    return found


def scaled(settings: Settings) -> tuple[str, ...]:
    """Rungs with students on fewer labels."""
    return (*settings.joined(), settings.strong.rungs[-1])


def followed(settings: Settings) -> list[str]:
    """Teachers, and the controls whose curves stand beside theirs."""
    named = settings.weak.taught()
    return [name for name in named if name in settings.weak.teachers or name in SCALED_CONTROLS]


def item(rung: str, teacher: str, size: int) -> str:
    """Name of a student on the first ``size`` of its rows."""
    return f"{rung}/{teacher}/of-{size}"
