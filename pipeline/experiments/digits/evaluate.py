"""Measure teacher, student and ceiling on each split's test images: a cell per student, direction and epoch."""

from collections.abc import Iterable, Iterator, Mapping
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
from pipeline.theory import classification_bounds as bounds
from pipeline.theory.divergence import floored

Array = np.ndarray
KEYS = ("loss", "class", "direction", "epoch", "lr", "noise", "sharpening", "tempered")
TOLERANCE = (1e-8, 1e-4, "heads solved and trained in float64 and float32; measured 1e-6")
# Each split draws all parts anew from the same images: 497 of test, 1,300 of the other parts.
OVERLAP = {"split": 0.382}
OWN_DIRECTION = {"cross_entropy": "forward", "reverse_kl": "reverse"}
PARTS = ("test", "calibration")  # temperatures are fitted on true labels of the second, which trained nobody


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every split, and their summary."""
    bundles = tuple(upstream[name] for name in ("data", "represent", "weak", "strong"))
    measured = pool.map(measure, {unit(i): (i, settings, *bundles) for i in range(settings.data.splits)})
    tables = [_table(i, measured[unit(i)], settings) for i in range(settings.data.splits)]
    cells = pd.concat(tables, ignore_index=True)
    cells = measures.ordered(cells, ["tempered", *measures.raised(settings.evaluate.floors)])
    real = without_controls(cells)
    last = real[(real["epoch"].isna() | (real["epoch"] == settings.strong.epochs[-1])) & (real["noise"] == 0)]
    groups = ("weak", "strong", "class", "loss", "direction")
    return {
        "cells": cells,
        "metrics": by_unit(last[last["sharpening"] == 1], "split", groups, settings.evaluate.confidence),
    }


def measure(
    split: int,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
    strong: Mapping[str, Arrays],
) -> Arrays:
    """Measures of one split: `<key>/<column>` -> values over label sets; keys as in strong's bundle, and the epoch."""
    floor, fitted, found = settings.data.floor, strong[unit(split)], {}
    images = {part: data[unit(split)][part] for part in PARTS}
    truth = {part: one_hot(data["digits"]["labels"][rows], CLASSES) for part, rows in images.items()}
    views = {part: {name: view[rows] for name, view in represent[unit(split)].items()} for part, rows in images.items()}
    best = {width: ceiling(settings, width, views["test"], fitted) for width in settings.represent.widths}
    for width, loss, rate, names in runs(settings):
        place = f"{width}/{loss}/{rate:g}"
        teachers = _teachers(names, views, weak[unit(split)], floor)
        for step, epoch in enumerate(settings.strong.epochs):
            students = _students(f"strong-{width}", fitted[place][step][: len(names)], views, floor)
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


def _teachers(names: Iterable[str], views: Mapping[str, Arrays], weak: Arrays, floor: float) -> Arrays:
    return {part: np.stack([teacher(name, own, weak, floor) for name in names]) for part, own in views.items()}


def _students(view: str, heads: Iterable[Array], views: Mapping[str, Arrays], floor: float) -> Arrays:
    return {part: np.stack([predict(own[view], head, floor) for head in heads]) for part, own in views.items()}


def _mixtures(
    settings: Settings,
    truth: Arrays,
    views: Mapping[str, Arrays],
    weak: Arrays,
    fitted: Arrays,
    best: Mapping[int, Array],
) -> Iterator[tuple[str, Arrays]]:
    floor, names = settings.data.floor, [f"{name}/0/1" for name in settings.represent.teachers]
    teachers = _teachers(names, views, weak, floor)
    for width in settings.represent.widths:
        experts = _students(f"strong-{width}", fitted[f"{width}/experts"], views, floor)
        weights = fitted[f"{width}/mixtures"][: len(names)]
        students = {
            part: mixture.mix(np.repeat(each.swapaxes(0, 1)[None], len(names), axis=0), weights)
            for part, each in experts.items()
        }
        for direction in bounds.DIRECTIONS:
            columns = _columns(settings, truth, teachers, students, best[width], direction)
            columns["certificate"] = fitted[f"{width}/mixtures/gap"][: len(names)]
            yield f"{width}/mixture/0/0/{direction}", columns


def _without_teacher(
    settings: Settings, truth: Arrays, views: Mapping[str, Arrays], weak: Arrays, best: Mapping[int, Array]
) -> tuple[str, Arrays]:
    """The strong model on each teacher's own true labels, in the place of that teacher's student."""
    floor, width, names = settings.data.floor, settings.represent.widths[-1], settings.represent.teachers
    teachers = _teachers([f"{name}/0/1" for name in names], views, weak, floor)
    heads = [weak[f"{controls.NO_TEACHER}.{name}"] for name in names]
    students = _students(f"strong-{width}", heads, views, floor)
    columns = _columns(settings, truth, teachers, students, best[width], "forward")
    return f"{width}/{controls.NO_TEACHER}/0/0/forward", columns


def _columns(
    settings: Settings, truths: Arrays, teachers: Arrays, students: Arrays, best: Array, direction: str
) -> Arrays:
    """Measures on the test images; teachers and students by part, (label sets, n, 10)."""
    floor, bins = settings.data.floor, settings.evaluate.bins
    weak, student = teachers["test"], students["test"]
    truth, best = (np.broadcast_to(array, weak.shape) for array in (truths["test"], best))
    found = measures.measure(truth, weak, student, best, floor, bins)
    found |= measures.tightness_at(settings.evaluate.floors, truth, weak, student)
    held = np.broadcast_to(truths["calibration"], teachers["calibration"].shape)
    shown, fitting = ({"weak": teachers[part], "student": students[part]} for part in PARTS)
    found |= measures.scaled(truth, shown, held, fitting, bins)
    # Towards a one-hot truth the forward direction is infinite: there, and only there, the truth is floored.
    towards = floored(truth, floor) if direction == "forward" else truth
    return found | measures.directed(direction, towards, weak, student)


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
