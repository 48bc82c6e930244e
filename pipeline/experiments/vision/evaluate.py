"""Measure teacher, student and ceiling on the test images: a cell a student and epoch, gain and misfit in KL."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.cells import without_controls
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences.common import recovery
from pipeline.experiments.vision.common import anatomy, controls, heads
from pipeline.experiments.vision.settings import Settings
from pipeline.measures import classification as measures
from pipeline.models.softmax.heads import predict
from pipeline.summary.classification import by_unit
from pipeline.theory.divergence import floored

Array = np.ndarray
KEYS = ("loss", "labels", "direction", "epoch", "n_train")
ESTIMATES = ("networks trained and read by torch in float32",)
# Each seed divides the same images anew: 3,500 of test, 14,500 of the other parts.
OVERLAP = {"seed": 0.241}
PARTS = ("test", "calibration", "student")
ALL = slice(None)
EXTRA = ("labels", *recovery.COLUMNS, *anatomy.COLUMNS)


class Scene(NamedTuple):
    """Test, calibration and student's images of one seed."""

    truth: Arrays  # by part, one-hot (n, classes)
    features: Arrays  # by part, (n, 1280)
    drawn: Array  # bootstrap weights of the test images


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every seed and rung, and their summary."""
    bundles = tuple(upstream[name] for name in ("data", "represent", "weak", "strong"))
    units = {
        f"seed-{seed}.{rung}": (seed, rung, settings, *bundles)
        for seed in settings.data.seeds
        for rung in settings.represent.rungs
    }
    measured = pool.map(measure, units)
    tables = [table(seed, rung, settings, measured[unit]) for unit, (seed, rung, *_) in units.items()]
    cells = measures.ordered(pd.concat(tables, ignore_index=True), EXTRA)
    last = without_controls(cells)
    last = last[(last["n_train"] == max(settings.strong.weak_labels)) & (last["epoch"] == settings.strong.epochs[-1])]
    groups = ("strong", "weak", "labels", "loss")
    return {"cells": cells, "metrics": by_unit(last, "seed", groups, settings.evaluate.confidence)}


def measure(
    seed: int,
    rung: str,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
    strong: Mapping[str, Arrays],
) -> Arrays:
    """Measures of one seed and rung: `<loss>/<rows>/<epoch>/<column>` -> values over label sets."""
    scene = _scene(seed, rung, settings, data, represent)
    taught, fitted, found = weak[f"seed-{seed}"], strong[f"seed-{seed}.{rung}"], {}

    def put(key: str, names: list[str], students: Array, best: Array) -> None:
        teachers = [name.split("/")[0] for name in names]
        seen = int(key.split("/")[1])  # on how many of the student's images it has been taught
        for column, values in columns(settings, scene, taught, teachers, students, best, seen).items():
            found[f"{key}/{column}"] = values

    ceilings: dict[int, Array] = {}
    for one in heads.fits(settings, rung):
        names, snapshots = heads.label_sets(settings, rung, one.loss), fitted[one.name]
        if one.loss == "cross_entropy":
            ceilings[one.rows] = snapshots[-1, -1]
        for epoch, students in zip(settings.strong.epochs[-len(snapshots) :], snapshots, strict=True):
            put(f"{one.name}/{epoch}", names, students[: len(names)], ceilings[one.rows])
    if rung == settings.represent.focus:
        rows = max(settings.strong.weak_labels)
        names = [f"{name}/soft" for name in heads.teachers(settings)]
        key = f"{controls.NO_TEACHER}/{rows}/{settings.strong.epochs[-1]}"
        put(key, names, fitted[controls.NO_TEACHER], ceilings[rows])
    return found


def _scene(
    seed: int, rung: str, settings: Settings, data: Mapping[str, Arrays], represent: Mapping[str, Arrays]
) -> Scene:
    truth, features = np.eye(len(settings.data.classes))[data["images"]["labels"]], represent[rung]["features"]
    rows = {part: data[f"seed-{seed}"][part] for part in PARTS}
    stream = streams.generator(seed, "vision/bootstrap")
    return Scene(
        {part: truth[own] for part, own in rows.items()},
        {part: features[own] for part, own in rows.items()},
        recovery.weights(len(rows["test"]), settings.evaluate.resamples, stream),
    )


def columns(
    settings: Settings, scene: Scene, taught: Arrays, teachers: list[str], students: Array, best: Array, seen: int
) -> Arrays:
    """All columns of some students (K, 1281, classes), taught on ``seen`` images, and their ceiling (1281, classes)."""
    floor, bins = settings.data.floor, settings.evaluate.bins
    shown = scene.features
    weak = {part: floored(np.stack([taught[f"{name}/{part}"] for name in teachers]), floor) for part in PARTS}
    student = {part: floored(np.stack([predict(x, one) for one in students]), floor) for part, x in shown.items()}
    shape = {part: model.shape for part, model in student.items()}
    ceiling = {part: np.broadcast_to(floored(predict(x, best), floor), shape[part]) for part, x in shown.items()}
    truth = {part: np.broadcast_to(own, shape[part]) for part, own in scene.truth.items()}
    models = (truth, weak, student, ceiling)
    test, own = ([model[part][:, rows] for model in models] for part, rows in (("test", ALL), ("student", slice(seen))))
    held, scaled = ({"weak": weak[part], "student": student[part]} for part in ("calibration", "test"))
    found = measures.measure(*test, floor, bins) | measures.directed("reverse", *test[:3])
    found |= measures.scaled(truth["test"], scaled, truth["calibration"], held, bins)
    found |= anatomy.anatomy(*test) | anatomy.on_own(*own) | anatomy.after_scaling(*models[:3], floor)
    hits = [model.argmax(axis=-1) == test[0].argmax(axis=-1) for model in test[1:]]
    return found | recovery.recovered(*hits, scene.drawn, settings.evaluate.confidence).columns()


def table(seed: int, rung: str, settings: Settings, measured: Arrays) -> pd.DataFrame:
    """Cells of one seed and rung."""
    found: dict[str, Arrays] = {}
    for name, values in measured.items():
        key, column = name.rsplit("/", 1)
        found.setdefault(key, {})[column] = values
    labelled = pd.concat(list(_labelled(rung, settings, found)), ignore_index=True)
    return labelled.assign(dataset="images", strong=rung, seed=seed, task=0, n_eval=settings.data.test)


def _labelled(rung: str, settings: Settings, found: Mapping[str, Arrays]) -> Iterator[pd.DataFrame]:
    for key, values in sorted(found.items()):
        loss, rows, epoch = key.split("/")
        without = loss == controls.NO_TEACHER
        sets = "reverse_kl" if without else loss  # soft labels of the real teachers
        teachers, kinds = zip(*(name.split("/") for name in heads.label_sets(settings, rung, sets)), strict=True)
        # Without a teacher the student's images are none that it has learned from.
        own = {name: column for name, column in values.items() if not (without and name.startswith("own_"))}
        yield pd.DataFrame(own).assign(
            weak=teachers,
            labels=kinds,
            control=[loss if without else name if name in controls.TEACHERS else np.nan for name in teachers],
            loss="cross_entropy" if without else loss,
            head="softmax",
            **{"class": "softmax"},
            direction="reverse",
            inputs="fresh",
            epoch=int(epoch),
            lr=settings.strong.learning_rate,
            n_train=int(rows),
        )
