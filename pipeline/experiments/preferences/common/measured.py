"""Everything that is measured of some students on the test rows of one set: columns of the cells."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.experiments.preferences.common import designs, recovery
from pipeline.experiments.preferences.common.students import Student
from pipeline.experiments.preferences.settings import Evaluate
from pipeline.measures import classification as measures
from pipeline.theory.divergence import floored

Array = np.ndarray
# Losses whose own direction is student first.
REVERSE = ("reverse_kl", "reverse_cross_entropy", "total_variation")
EXTRA = (
    "labels",
    *recovery.COLUMNS,
    "ceiling_truth_accuracy",
    "weak_accuracy_unshared",
    "student_accuracy_unshared",
)


class Scene(NamedTuple):
    """Test rows of one set: true labels, rows whose prompt no training row has, and bootstrap weights."""

    truth: Array  # (n,)
    unshared: Array  # (n,) bool
    drawn: Array  # (resamples, n)


def scene(table: pd.DataFrame, parts: designs.Parts, seed: int, settings: Evaluate, dataset: str) -> Scene:
    """What all students of a unit are measured on."""
    prompts = table["prompt"].to_numpy()
    truth = designs.labels(table)[parts.test] > 0.5
    if truth.all() or not truth.any():
        raise InputError(
            f"text set '{dataset}', seed {seed}: all {len(truth)} test rows have the label {int(truth.all())}; raise "
            f"data.datasets.{dataset}.sizes.test in {{where}}"
        )
    trained = np.concatenate([parts.truth, parts.weak])
    stream = streams.generator(seed, f"preferences/{dataset}/bootstrap")
    return Scene(
        truth,
        ~np.isin(prompts[parts.test], prompts[trained]),
        recovery.weights(len(parts.test), settings.resamples, stream),
    )


def columns_of(
    plan: Sequence[Student], predicted: Array, taught: Arrays, ceilings: Array, scene: Scene, settings: Evaluate
) -> Arrays:
    """All columns of some students; predicted is (students, n), ceilings (2, n): weak half first."""
    floor, ones = settings.floor, np.ones((len(plan), 1))
    teachers = np.stack([taught[f"{one.teacher}/test"] for one in plan])
    truth = two_classes(scene.truth[None] * ones)
    models = [floored(two_classes(p), floor) for p in (teachers, predicted, ceilings[0] * ones)]
    found = measures.measure(truth, *models, floor, settings.bins)
    for direction in ("forward", "reverse"):
        own = np.array([(one.loss in REVERSE) == (direction == "reverse") for one in plan])
        if own.any():
            target = floored(truth, floor) if direction == "forward" else truth
            for name, values in measures.directed(direction, target, models[0], models[1]).items():
                found[name] = np.where(own, values, found.get(name, np.nan))
    return found | _recovery(teachers, predicted, ceilings, scene, settings)


def _recovery(teachers: Array, predicted: Array, ceilings: Array, scene: Scene, settings: Evaluate) -> Arrays:
    hits = [(p > 0.5) == scene.truth for p in (teachers, predicted, np.broadcast_to(ceilings[0], predicted.shape))]
    found = recovery.recovered(*hits, scene.drawn, settings.confidence)
    return {
        **found.columns(),
        "ceiling_truth_accuracy": np.full(len(predicted), np.mean((ceilings[1] > 0.5) == scene.truth)),
        "weak_accuracy_unshared": _among(hits[0], scene.unshared),
        "student_accuracy_unshared": _among(hits[1], scene.unshared),
    }


def _among(hits: Array, rows: Array) -> Array:
    """Share of hits among some rows; NaN where there is no such row."""
    return hits[:, rows].mean(axis=1) if rows.any() else np.full(len(hits), np.nan)


def two_classes(probability: Array) -> Array:
    """Probabilities of class 1 as distributions: (...) -> (..., 2)."""
    # In float64 before 1 - p is taken: in float32 the two sum to 1 only up to 6e-8, and a divergence falls below 0.
    probability = np.asarray(probability, dtype=np.float64)
    return np.stack([1 - probability, probability], axis=-1)


def labelled(plan: Sequence[Student], columns: Arrays) -> pd.DataFrame:
    """Measures with the words that name each student."""
    reverse = [one.loss in REVERSE for one in plan]
    return pd.DataFrame(columns).assign(
        panel=[one.panel for one in plan],
        strong=[one.rung for one in plan],
        weak=[one.teacher for one in plan],
        labels=[one.kind for one in plan],
        noise=[one.noise for one in plan],
        loss=[one.loss for one in plan],
        lr=[one.rate for one in plan],
        direction=np.where(reverse, "reverse", "forward"),
        head="frozen",
        inputs="half",
        sharpening=1.0,
        task=0,
        **{"class": "linear"},
    )
