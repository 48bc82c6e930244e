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
    features: Arrays  # by part, (n, 1280); none where students train more than a head
    drawn: Array  # bootstrap weights of the test images

    def predicted(self, fitted: Arrays, key: str) -> Iterator[Arrays]:
        """At every look, by part, probabilities (K + 1, n, classes) of the heads or networks of a key."""
        if self.features:
            for snapshot in fitted[key]:
                yield {part: np.stack([predict(x, one) for one in snapshot]) for part, x in self.features.items()}
        else:
            looks = [fitted[f"{key}/{part}"] for part in PARTS]
            yield from (dict(zip(PARTS, each, strict=True)) for each in zip(*looks, strict=True))


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
    ends = last["strong"].map({rung: epochs(settings, rung)[-1] for rung in settings.represent.rungs})
    last = last[(last["n_train"] == max(settings.strong.weak_labels)) & (last["epoch"] == ends)]
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

    def put(key: str, names: list[str], students: Arrays, best: Arrays) -> None:
        teachers = [name.split("/")[0] for name in names]
        seen = int(key.split("/")[1])  # on how many of the student's images it has been taught
        for column, values in columns(settings, scene, taught, teachers, students, best, seen).items():
            found[f"{key}/{column}"] = values

    ceilings: dict[int, Arrays] = {}
    for one in heads.fits(settings, rung):
        names, looks = heads.label_sets(settings, rung, one.loss), list(scene.predicted(fitted, one.name))
        if one.loss == "cross_entropy":
            ceilings[one.rows] = {part: model[-1] for part, model in looks[-1].items()}
        for epoch, found_at in zip(epochs(settings, rung)[-len(looks) :], looks, strict=True):
            students = {part: model[: len(names)] for part, model in found_at.items()}
            put(f"{one.name}/{epoch}", names, students, ceilings[one.rows])
    if rung == settings.represent.focus:
        rows = max(settings.strong.weak_labels)
        names = [f"{name}/soft" for name in heads.teachers(settings)]
        key = f"{controls.NO_TEACHER}/{rows}/{settings.strong.epochs[-1]}"
        (own,) = scene.predicted({key: fitted[controls.NO_TEACHER][None]}, key)
        put(key, names, own, ceilings[rows])
    return found


def epochs(settings: Settings, rung: str) -> tuple[int, ...]:
    """After which a rung's students are looked at."""
    return (settings.represent.rungs[rung].block or settings.strong).epochs


def _scene(
    seed: int, rung: str, settings: Settings, data: Mapping[str, Arrays], represent: Mapping[str, Arrays]
) -> Scene:
    truth, features = np.eye(len(settings.data.classes))[data["images"]["labels"]], represent[rung].get("features")
    rows = {part: data[f"seed-{seed}"][part] for part in PARTS}
    stream = streams.generator(seed, "vision/bootstrap")
    return Scene(
        {part: truth[own] for part, own in rows.items()},
        {part: features[own] for part, own in rows.items() if features is not None},
        recovery.weights(len(rows["test"]), settings.evaluate.resamples, stream),
    )


def columns(
    settings: Settings, scene: Scene, taught: Arrays, teachers: list[str], students: Arrays, best: Arrays, seen: int
) -> Arrays:
    """All columns of students, by part (K, n, classes), taught on ``seen`` images, with their ceiling (n, classes)."""
    floor, bins = settings.data.floor, settings.evaluate.bins
    weak = {part: floored(np.stack([taught[f"{name}/{part}"] for name in teachers]), floor) for part in PARTS}
    student = {part: floored(model, floor) for part, model in students.items()}
    shape = {part: model.shape for part, model in student.items()}
    ceiling = {part: np.broadcast_to(floored(model, floor), shape[part]) for part, model in best.items()}
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
        training = settings.represent.rungs[rung].block
        teachers, kinds = zip(*(name.split("/") for name in heads.label_sets(settings, rung, sets)), strict=True)
        # Without a teacher the student's images are none that it has learned from.
        own = {name: column for name, column in values.items() if not (without and name.startswith("own_"))}
        yield pd.DataFrame(own).assign(
            weak=teachers,
            labels=kinds,
            control=[loss if without else name if name in controls.TEACHERS else np.nan for name in teachers],
            loss="cross_entropy" if without else loss,
            head="block" if training else "softmax",
            **{"class": "network" if training else "softmax"},
            direction="reverse",
            inputs="fresh",
            epoch=int(epoch),
            lr=(training or settings.strong).learning_rate,
            n_train=int(rows),
        )
