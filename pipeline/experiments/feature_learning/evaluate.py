"""Measure students by type of test example: a cell a network at the end, and along training where there are looks."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.cells import COLUMNS
from pipeline.core.parallel import Pool
from pipeline.experiments.feature_learning.common import digits, points, teachers
from pipeline.experiments.feature_learning.common.points import DIGITS, KINDS, SCARCE, SIGNALS, Point
from pipeline.experiments.feature_learning.settings import Settings
from pipeline.models.patches import Patches, outputs
from pipeline.summary.metrics import ends, nested
from pipeline.theory import intervals, misfit

Array = np.ndarray
KEYS = ("n_train", "dimension", "strength", "both", "step", "moment")
TOLERANCE = (0.02, 0.2, "gradient descent in float32, whose rounding moves single test examples across the boundary")
# On digits each seed divides the same images anew in quarters: one of test over two that both learn from.
OVERLAP = {"split": 0.5}
LOOK, FINAL, VALIDATED, LEAST_LOSS, OTHERS = "look", "final", "validated", "least_loss", "others"
OWN = (
    *("dimension", "strength", "hard", "both", "signal_ratio", "bridge_ratio", "step", "moment"),
    *(f"{role}_{kind}_error" for role in ("weak", "student") for kind in KINDS),
    *("loss", "fitted", "clean", "righted", "validation_loss", "validation_accuracy"),
    *("along_easy", "along_hard", "along_noise"),
)
LINEAR = "linear"  # the control student that has no ReLU


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every point, and means over seeds of the final students."""
    bundles = (upstream["data"], upstream["weak"], upstream["strong"], upstream["represent"]["images"]["patches"])
    listed = points.points(settings.data)
    measured = pool.map(measure, {point.name: (point, settings, *bundles) for point in listed})
    cells = pd.concat([table(point, measured[point.name], settings) for point in listed], ignore_index=True)
    final = cells[(cells["moment"] == FINAL) & cells["control"].isna()]
    groups = ("panel", "n_train", "dimension", "strength", "both")
    cells = cells.reindex(columns=[*(name for name in COLUMNS if name in cells), *OWN])
    return {"cells": cells, "metrics": nested(final, "seed", groups, partial(_summary, settings.evaluate.confidence))}


def _summary(confidence: float, members: list[pd.DataFrame]) -> dict[str, Any]:
    columns = ("weak_error", "student_error", "ceiling_error", "student_hard_error")
    return {
        name: ends(intervals.over_units([float(own[name].mean()) for own in members], confidence)) for name in columns
    }


def measure(
    point: Point,
    settings: Settings,
    data: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
    strong: Mapping[str, Arrays],
    images: Array,
) -> Arrays:
    """Of the students of one point: `test.*` (seeds, looks, types), `linear.*` (seeds, types), the rest (seeds, looks).

    Values are shares of the test examples of a type; error, gain, misfit and cross term those of squared loss between
    labels +1/2 and -1/2, that is of wrong labels.
    """
    seeds, trained = settings.data.seeds, strong[point.name]
    nets = [(point, seed) for seed in seeds]
    parts, told, label = {}, {}, {}
    for part in ("validation", "test"):
        examples = points.part_of(data, nets, seeds, part)
        label[part] = examples["label"]
        told[part] = teachers.told(point, seeds, part, data, weak, images)
        if point.panel == DIGITS:
            parts[part] = digits.patches(nets, examples, images, part)
        else:
            parts[part] = points.unmet(nets, examples, part, 2 * settings.strong.filters)
    answers = {role: along(parts["test"], trained[role]) for role in ("student", "ceiling")}
    found = {f"test.{name}": values for name, values in compared(label["test"], told["test"], answers).items()}
    answers = {"student": linear(parts["test"], trained[LINEAR])[:, None]}
    found |= {f"linear.{name}": each[:, 0] for name, each in compared(label["test"], told["test"], answers).items()}
    held = along(parts["validation"], trained["student"])
    weak_labels = told["validation"][:, None]
    found["validation_loss"] = np.logaddexp(0, -weak_labels * held).mean(axis=-1)
    found["validation_accuracy"] = np.mean((held > 0) == (weak_labels > 0), axis=-1)
    found |= points.under("trained", trained)
    return {**found, **({} if point.panel == DIGITS else learned(trained["student"]))}


def along(patches: list[Patches], filters: Array) -> Array:
    """Outputs of networks at each look, (seeds, looks, n)."""
    return np.stack([outputs(patches, filters[:, look]) for look in range(filters.shape[1])], axis=1)


def linear(patches: list[Patches], weights: Array) -> Array:
    """Outputs of linear networks, (seeds, n)."""
    told = [np.einsum("bsnk,bk->bn", group.values, weights[:, group.columns]) for group in patches]
    return np.sum(told, axis=0)


def compared(truth: Array, teacher: Array, answers: Mapping[str, Array]) -> Arrays:
    """Measures by type of example, (seeds, looks, types); truth and teacher (seeds, n), answers (seeds, looks, n)."""
    shape = (*answers["student"].shape[:2], len(KINDS), -1)
    sides = {role: (np.where(values > 0, 0.5, -0.5)).reshape(shape) for role, values in answers.items()}
    right, weak = (
        np.broadcast_to((side / 2).reshape(len(side), 1, len(KINDS), -1), sides["student"].shape)
        for side in (truth, teacher)
    )
    found = {f"{role}_error": misfit.error(right, side) for role, side in {"weak": weak, **sides}.items()}
    return found | {
        "misfit": misfit.misfit(weak, sides["student"]),
        "gain": misfit.gain(right, weak, sides["student"]),
        "cross_term": misfit.cross_term(right, weak, sides["student"]),
    }


def learned(filters: Array) -> Arrays:
    """Filters that vote for a class on that class's signals and on noise, means over filters (seeds, looks).

    `along_easy`: <w, mu> / |mu|; `along_hard`: |<w, nu>| / |nu|; `along_noise`: length of the rest.
    """
    half = filters.shape[-1] // 2
    positive, negative = filters[..., :half], filters[..., half:]
    easy = np.concatenate([positive[..., 0, :], negative[..., 1, :]], axis=-1)
    hard = np.concatenate([positive[..., 2, :], negative[..., 3, :]], axis=-1)
    return {
        "along_easy": easy.mean(axis=-1),
        "along_hard": np.abs(hard).mean(axis=-1),
        "along_noise": np.linalg.norm(filters[..., SIGNALS:, :], axis=-2).mean(axis=-1),
    }


def table(point: Point, measured: Arrays, settings: Settings) -> pd.DataFrame:
    """Rows of one point."""
    looks = (settings.strong.map_steps,) if point.panel == SCARCE else settings.strong.looks
    rows = [
        {"seed": seed, "strong": "relu", "moment": moment, "step": looks[look], **_row(point, measured, place, look)}
        for place, seed in enumerate(settings.data.seeds)
        for moment, look in moments(measured, place, point, settings)
    ]
    rows += [
        {
            "seed": seed,
            "strong": LINEAR,
            "control": LINEAR,
            "moment": FINAL,
            "step": looks[-1],
            **_linear_row(point, measured, place),
        }
        for place, seed in enumerate(settings.data.seeds)
    ]
    table = pd.DataFrame(rows)
    return table.assign(
        split=table["seed"].astype(str) if point.panel == DIGITS else "",
        panel=point.panel,
        dataset="digits" if point.panel == DIGITS else "patches",
        weak=LINEAR,
        head="relu",
        n_train=point.samples,
        n_eval=len(KINDS) * settings.data.test,
        task=0,
        dimension=point.dimension,
        strength=point.strength,
        hard=point.shares.hard,
        both=point.shares.both,
        signal_ratio=point.signal,
        bridge_ratio=point.bridge,
    ).round(8)


def moments(measured: Arrays, place: int, point: Point, settings: Settings) -> Iterator[tuple[str, int]]:
    """Looks of one seed that get a row: all but in the scarce regime, the last, and three ways to stop early.

    `validated`: the first at which accuracy on teacher's labels of held-out examples is within a standard error of its
    best (one-standard-error rule).  `least_loss`: least loss there.  `others`: least test error of the other seeds, a
    yardstick that no learner has.
    """
    last = measured["validation_loss"].shape[1] - 1
    yield FINAL, last
    if point.panel == SCARCE:
        return
    yield from ((LOOK, look) for look in range(last + 1))
    accuracy = measured["validation_accuracy"][place]
    best = accuracy.max()
    yield VALIDATED, int(np.argmax(accuracy >= best - np.sqrt(best * (1 - best) / settings.data.validation)))
    yield LEAST_LOSS, int(measured["validation_loss"][place].argmin())
    errors = measured["test.student_error"] @ np.array(point.chances)
    yield OTHERS, int(np.delete(errors, place, axis=0).mean(axis=0).argmin())


def _row(point: Point, measured: Arrays, place: int, look: int) -> dict[str, float]:
    tested = {name: values[place, look] for name, values in points.under("test", measured).items()}
    trained = {name: values[place, look] for name, values in measured.items() if "." not in name}
    return {**_over_types(point, tested), **trained}


def _linear_row(point: Point, measured: Arrays, place: int) -> dict[str, float]:
    return _over_types(point, {name: values[place] for name, values in points.under("linear", measured).items()})


def _over_types(point: Point, tested: Mapping[str, Array]) -> dict[str, float]:
    """Means over the types by their probabilities, and errors of each type."""
    means = {name: float(values @ np.array(point.chances)) for name, values in tested.items()}
    errors = {
        f"{role}_{kind}_error": float(tested[f"{role}_error"][place])
        for role in ("weak", "student")
        for place, kind in enumerate(KINDS)
    }
    return {**means, **errors}
