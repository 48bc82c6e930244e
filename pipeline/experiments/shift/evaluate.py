"""Measure every student on the test set of its domain: a cell each; of those followed also one a teacher and epoch.

A student's teacher is the mixture that it learned from (of co-supervision the even one); gain and misfit are in nats.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.shift import plans
from pipeline.experiments.shift.plans import Places, Student
from pipeline.experiments.shift.settings import Shared, World
from pipeline.models.softmax import pooled
from pipeline.models.softmax.pooled import Rule
from pipeline.summary.metrics import ends, nested
from pipeline.theory.classification_bounds import gain
from pipeline.theory.divergence import floored, mean
from pipeline.theory.inheritance import agreement
from pipeline.theory.intervals import over_units

Array = np.ndarray
WRITTEN = ("raven", "raven_kl", "raven_tempered")  # of those followed: the normalised one goes RAVEN's way
SIXTH = ("accuracy", "weight", "agreed", "entropy")  # written to a millionth; divergences to 1e-8, for the identity
KEYS = ("domain", "method", "varied", "rate", "easy", "epoch")
TOLERANCE = (1e-3, 2e-2, "heads trained by torch in float32, their weights by their own losses")
# Each split draws all parts anew from the same images: 497 of test over 1,300 others.
OVERLAP = {"split": 0.382}
REDRAWN = {"images": OVERLAP["split"], "preferences": 0.5}  # the latter as shift_preferences says


def run(settings: Shared, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of all worlds, and accuracies over seeds or splits."""
    cells = pd.DataFrame([row for world in settings.worlds() for row in measure(world, settings, upstream)])
    places = {name: 6 if any(part in name for part in SIXTH) else 8 for name in cells.select_dtypes("float")}
    cells = cells.round(places)
    final = cells[cells["weight"].isna() & (cells["varied"] == "default")]

    def summary(members: list[pd.DataFrame]) -> dict[str, Any]:
        found = [float(member["student_accuracy"].mean()) for member in members]
        overlap = REDRAWN.get(members[0]["panel"].iloc[0], 0.0)
        return {"accuracy": ends(over_units(found, settings.evaluate.confidence, overlap))}

    return {"cells": cells, "metrics": nested(final, "seed", ("panel", "domain", "method", "weak"), summary)}


def measure(world: World, settings: Shared, upstream: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Cells of one world."""
    drawn, views, said, strong = (upstream[verb][world.name] for verb in ("data", "represent", "weak", "strong"))
    names, floor = settings.teachers(world), settings.evaluate.floor
    planned = plans.students(world, settings.strong, len(names))
    truth = np.eye(said["0.test"].shape[-1])[drawn["y.test"]]
    sources = on_test(drawn, said, len(names))
    heads, x = strong["heads"], views["strong.test"]
    ceiling = predicted(x, heads[[one.method for one in planned].index("gold")], floor)
    teachers = [floored(one, floor) for one in sources[: len(names)]]
    pool = pool_of(truth, teachers, said, drawn)
    shared = {**described(world), "n_train": len(drawn["y.student"])}
    shared |= {"n_eval": len(truth), "epoch": settings.strong.training[world.panel].epochs}
    for place, one in enumerate(planned):
        taught = floored(mixture(one, strong["weights"][place], sources), floor)
        student = predicted(x, heads[place], floor)
        found = columns(truth, taught, student, ceiling)
        yield {**shared, **pool, **told(one, names), **found, **weights(one, strong, place)}
    last = Student("cosupervision", "pool", Rule(Places.of(len(names)).teachers))
    taught, student = floored(sources[: len(names)].mean(0), floor), predicted(x, heads[-1], floor)
    yield {**shared, **pool, **told(last, names), **columns(truth, taught, student, ceiling)}
    followed = [one for one in planned if plans.is_followed(one)]
    epochs = settings.strong.epochs_followed(world.panel)
    for moment, epoch in enumerate(epochs):
        if world.panel != "synthetic" and epoch != epochs[-1]:
            continue  # elsewhere the last weights are enough: the table stays small
        for place, one in enumerate(followed):
            if one.method not in WRITTEN:
                continue
            student = predicted(x, strong["followed"][moment, place], floor)
            for k, row in enumerate(one.rule.pool):
                yield {
                    **shared,
                    **told(one, names),
                    **columns(truth, teachers[k], student, ceiling),
                    "weak": names[k],
                    "epoch": epoch,
                    "weight": float(strong["path"][moment, place, row]),
                    "label_entropy": pooled.mean_entropy(said[f"{k}.student"]),
                }


def on_test(drawn: Arrays, said: Arrays, count: int) -> Array:
    """What stands in the rows of the label tensor, on the test set, but for the last two: (T, n, C)."""
    teachers = np.stack([said[f"{k}.test"] for k in range(count)]).astype(np.float64)
    classes = teachers.shape[-1]
    frequencies = np.bincount(drawn["y.source"], minlength=classes) / len(drawn["y.source"])
    beside = [said["shuffled.test"], np.broadcast_to(frequencies, teachers[0].shape)]
    found = np.concatenate([teachers, teachers, np.stack(beside)])
    return np.asarray(found / found.sum(-1, keepdims=True))


def mixture(one: Student, weights: Array, sources: Array) -> Array:
    """The teacher of a student: its pool at its last weights; gold and bootstrapped labels by those they came from."""
    if one.method == "gold":
        return np.asarray(sources[: (len(sources) - 2) // 2].mean(0))
    rows, shares = list(one.rule.pool), weights[list(one.rule.pool)].astype(np.float64)
    if one.method == "bootstrapping":
        return np.asarray(sources[int(one.weak)])
    return np.einsum("t,tnc->nc", shares / shares.sum(), sources[rows])


def predicted(x: Array, head: Array, floor: float) -> Array:
    """A student's probabilities, floored."""
    return floored(pooled.predict(x, head), floor)


def columns(truth: Array, teacher: Array, student: Array, ceiling: Array) -> dict[str, Any]:
    """Accuracies, errors KL(truth, model), and gain, misfit and cross term in reverse KL."""
    roles = {"weak": teacher, "student": student, "ceiling": ceiling}
    found = {f"{role}_error": float(mean("forward_kl", truth, model)) for role, model in roles.items()}
    found |= {f"{role}_accuracy": float(agreement(truth, model)) for role, model in roles.items()}
    found |= {name: float(value) for name, value in gain("reverse", truth, teacher, student)._asdict().items()}
    return {**found, "direction": "reverse"}


def described(world: World) -> dict[str, Any]:
    """What tells a world."""
    split = "" if world.panel == "synthetic" else f"{world.seed}"
    named = {"panel": world.panel, "dataset": world.panel, "domain": world.domain, "shift": world.shift}
    return {**named, "split": split, "seed": world.seed, "task": 0, "strong": "frozen", "head": "softmax"}


def pool_of(truth: Array, teachers: list[Array], said: Arrays, drawn: Arrays) -> dict[str, float]:
    """Of the pool: accuracies on the test, and on which share of the student's samples it agrees, and how rightly."""
    accuracies = [float(agreement(truth, one)) for one in teachers]
    classes = np.stack([said[f"{k}.student"].argmax(-1) for k in range(len(teachers))])
    agreed = (classes == classes[0]).all(0)
    right = float((classes[0] == drawn["y.student"])[agreed].mean()) if agreed.any() else np.nan
    return {
        "mean_teacher_accuracy": float(np.mean(accuracies)),
        "best_teacher_accuracy": max(accuracies),
        "agreed": float(agreed.mean()),
        "agreed_accuracy": right,
    }


def told(one: Student, names: tuple[str, ...]) -> dict[str, Any]:
    """What tells a student from the others of its world."""
    return {
        "method": one.method,
        "weak": names[int(one.weak)] if one.weak.isdigit() else one.weak,
        "control": one.control or np.nan,
        "varied": one.varied,
        "rate": one.rule.rate,
        "easy": one.rule.easy,
        "inputs": "fresh",
    }


def weights(one: Student, strong: Arrays, place: int) -> dict[str, float]:
    """Largest weight of the pool at the end; and that of the control among it, where there is one."""
    own = strong["weights"][place, list(one.rule.pool)]
    control = {"control_weight": float(own[-1])} if one.control in ("shuffled", "constant") else {}
    return {"largest_weight": float(own.max()), **control}
