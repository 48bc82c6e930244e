"""Measure teacher, student and ceiling on each split's test images: a cell per student, direction and epoch."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.cells import without_controls
from pipeline.core.parallel import Pool
from pipeline.experiments.digits.common import controls
from pipeline.experiments.digits.common.splits import one_hot, unit
from pipeline.experiments.digits.common.students import TEMPERED, ceiling, predict, runs, teacher
from pipeline.experiments.digits.settings import CLASSES, Settings
from pipeline.measures import classification as measures
from pipeline.models.softmax import mixture
from pipeline.summary.classification import by_unit
from pipeline.theory import calibration
from pipeline.theory import classification_bounds as bounds
from pipeline.theory.divergence import floored

Array = np.ndarray
KEYS = ("loss", "class", "direction", "epoch", "lr", "noise", "sharpening", "tempered")
TOLERANCE = (1e-8, 1e-4, "heads solved and trained in float64 and float32; measured 1e-6")
# Each split draws all parts anew from the same images: 497 of test, 1,300 of the other parts.
OVERLAP = {"split": 0.382}
OWN_DIRECTION = {"cross_entropy": "forward", "reverse_kl": "reverse"}
ROLES = ("weak", "student", "ceiling")


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every split, and their summary."""
    bundles = tuple(upstream[name] for name in ("data", "represent", "weak", "strong"))
    measured = pool.map(measure, {unit(i): (i, settings, *bundles) for i in range(settings.data.splits)})
    tables = [_table(i, measured[unit(i)], settings) for i in range(settings.data.splits)]
    cells = pd.concat(tables, ignore_index=True)
    cells = measures.ordered(cells, extra_columns(settings.evaluate.bins))
    real = without_controls(cells)
    last = real[(real["epoch"].isna() | (real["epoch"] == settings.strong.epochs[-1])) & (real["noise"] == 0)]
    groups = ("weak", "strong", "class", "loss", "direction")
    return {
        "cells": cells,
        "metrics": by_unit(last[last["sharpening"] == 1], "split", groups, settings.evaluate.confidence),
    }


def extra_columns(bins: tuple[int, ...]) -> list[str]:
    """Other estimates of the calibration error, and whether the teacher was temperature-scaled."""
    kinds = [*(f"width{count}" for count in bins[1:]), f"mass{bins[0]}", f"debiased{bins[0]}"]
    return ["tempered", *(f"{role}_ece_{kind}" for role in ROLES for kind in kinds)]


def measure(
    split: int,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
    strong: Mapping[str, Arrays],
) -> Arrays:
    """Measures of one split: `<key>/<column>` -> values over label sets; keys as in strong's bundle, and the epoch."""
    images, floor = data[unit(split)]["test"], settings.data.floor
    truth = one_hot(data["digits"]["labels"][images], CLASSES)
    views = {name: view[images] for name, view in represent[unit(split)].items()}
    fitted, found = strong[unit(split)], {}
    best = {width: ceiling(settings, width, views, fitted) for width in settings.represent.widths}
    for width, loss, rate, names in runs(settings):
        place = f"{width}/{loss}/{rate:g}"
        teachers = np.stack([teacher(name, views, weak[unit(split)], floor) for name in names])
        for step, epoch in enumerate(settings.strong.epochs):
            heads = fitted[place][step][: len(names)]
            students = np.stack([predict(views[f"strong-{width}"], head, floor) for head in heads])
            columns = _columns(settings, truth, teachers, students, best[width], OWN_DIRECTION[loss])
            columns |= {
                f"weak_{part}": fitted[f"{place}/{part}"][step][: len(names)] for part in ("objective", "validation")
            }
            found |= {f"{place}/{epoch}/{OWN_DIRECTION[loss]}/{name}": values for name, values in columns.items()}
    for key, columns in (
        *_mixtures(settings, truth, views, weak[unit(split)], fitted, best),
        _without_teacher(settings, truth, views, weak[unit(split)], best),
    ):
        found |= {f"{key}/{name}": values for name, values in columns.items()}
    return found


def _mixtures(
    settings: Settings, truth: Array, views: Arrays, weak: Arrays, fitted: Arrays, best: Mapping[int, Array]
) -> Iterator[tuple[str, Arrays]]:
    floor, names = settings.data.floor, [f"{name}/0/1" for name in settings.represent.teachers]
    teachers = np.stack([teacher(name, views, weak, floor) for name in names])
    for width in settings.represent.widths:
        experts = [predict(views[f"strong-{width}"], head, floor) for head in fitted[f"{width}/experts"]]
        weights = fitted[f"{width}/mixtures"][: len(names)]
        students = mixture.mix(
            np.broadcast_to(np.stack(experts, axis=1), (len(names), len(truth), len(experts), CLASSES)), weights
        )
        for direction in bounds.DIRECTIONS:
            columns = _columns(settings, truth, teachers, students, best[width], direction)
            columns["certificate"] = fitted[f"{width}/mixtures/gap"][: len(names)]
            yield f"{width}/mixture/0/0/{direction}", columns


def _without_teacher(
    settings: Settings, truth: Array, views: Arrays, weak: Arrays, best: Mapping[int, Array]
) -> tuple[str, Arrays]:
    """The strong model on each teacher's own true labels, in the place of that teacher's student."""
    floor, width, names = settings.data.floor, settings.represent.widths[-1], settings.represent.teachers
    teachers = np.stack([teacher(f"{name}/0/1", views, weak, floor) for name in names])
    own = views[f"strong-{width}"]
    students = np.stack([predict(own, weak[f"{controls.NO_TEACHER}.{name}"], floor) for name in names])
    columns = _columns(settings, truth, teachers, students, best[width], "forward")
    return f"{width}/{controls.NO_TEACHER}/0/0/forward", columns


def _columns(settings: Settings, truth: Array, teachers: Array, students: Array, best: Array, direction: str) -> Arrays:
    floor, bins = settings.data.floor, settings.evaluate.bins
    truth, best = (np.broadcast_to(array, teachers.shape) for array in (truth, best))
    found = measures.measure(truth, teachers, students, best, floor, bins[0])
    # Towards a one-hot truth the forward direction is infinite: there, and only there, the truth is floored.
    found |= measures.directed(
        direction, floored(truth, floor) if direction == "forward" else truth, teachers, students
    )
    for role, model in zip(ROLES, (teachers, students, best), strict=True):
        others = {f"width{count}": calibration.top_label_error(model, truth, count) for count in bins[1:]}
        others[f"mass{bins[0]}"] = calibration.top_label_error(model, truth, bins[0], "mass")
        others[f"debiased{bins[0]}"] = calibration.debiased_top_label_error(model, truth, bins[0])
        found |= {f"{role}_ece_{kind}": values for kind, values in others.items()}
    return found


def _table(split: int, measured: Arrays, settings: Settings) -> pd.DataFrame:
    columns: dict[str, Arrays] = {}
    for name, values in measured.items():
        key, column = name.rsplit("/", 1)
        columns.setdefault(key, {})[column] = values
    sets = {f"{width}/{loss}/{rate:g}": names for width, loss, rate, names in runs(settings)}
    tables = [_labelled(key, pd.DataFrame(values), sets, settings) for key, values in sorted(columns.items())]
    test = pd.concat(tables, ignore_index=True)
    return test.assign(dataset="digits", split=f"{split}", seed=settings.data.seed, task=0)


def _labelled(key: str, cells: pd.DataFrame, sets: Mapping[str, list[str]], settings: Settings) -> pd.DataFrame:
    width, loss, rate, epoch, direction = key.split("/")
    convex, without = loss == "mixture", loss == controls.NO_TEACHER
    names = sets.get(f"{width}/{loss}/{rate}", [f"{name}/0/1" for name in settings.represent.teachers])
    weak, noise, power = zip(*(name.split("/") for name in names), strict=True)
    family = "mixture" if convex else "softmax"
    return cells.assign(
        strong=f"random-{width}",
        weak=weak,
        control=[controls.NO_TEACHER if without else name if name in controls.TEACHERS else np.nan for name in weak],
        head=family,
        **{"class": family},
        loss="reverse_kl" if convex else "cross_entropy" if without else loss,
        direction=direction,
        inputs="fresh",
        epoch=np.nan if convex or without else int(epoch),
        lr=np.nan if convex or without else float(rate),
        noise=[float(value) for value in noise],
        sharpening=[np.nan if value == TEMPERED else float(value) for value in power],
        tempered=[value == TEMPERED for value in power],
        n_train=settings.data.student,
        n_eval=settings.data.test,
    )
