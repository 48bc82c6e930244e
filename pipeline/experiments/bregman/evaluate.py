"""Measure every student in its own divergence: a cell a student, on its test points (of a hull, on its points)."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.parallel import Pool
from pipeline.experiments.bregman.labels import FLOOR
from pipeline.experiments.bregman.settings import Settings, World
from pipeline.experiments.bregman.strong import generators
from pipeline.measures.classification import agreement
from pipeline.models.softmax import combined
from pipeline.summary.metrics import ends, nested
from pipeline.summary.statistics import mean_gain, mean_misfit
from pipeline.theory import intervals
from pipeline.theory.bregman import GENERATORS, Generator, divergence, gain
from pipeline.theory.divergence import floored

Array = np.ndarray
KEYS = ("generator", "loss", "heads", "classes", "outside", "direction")
TOLERANCE = (1e-4, 1e-2, "heads trained by torch in float32")
# Each split draws all parts anew from the same images: 497 of test over 1,300 others.
OVERLAP = {"split": 0.382}


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of all students, and mean gain and misfit over seeds or splits."""
    rows = [row for world in settings.data.worlds() for row in measure(world, settings, upstream)]
    cells, confidence = pd.DataFrame(rows), settings.evaluate.confidence

    def summary(members: list[pd.DataFrame]) -> dict[str, Any]:
        overlap = OVERLAP["split"] if members[0]["panel"].iloc[0] == "digits" else 0.0
        return {
            name: ends(intervals.over_units([statistic(member) for member in members], confidence, overlap))
            for name, statistic in (("mean_gain", mean_gain), ("mean_misfit", mean_misfit))
        }

    groups = ("panel", "generator", "classes", "outside", "loss", "heads")
    return {"cells": cells, "metrics": nested(cells, "seed", groups, summary)}


def measure(world: World, settings: Settings, upstream: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Cells of one world."""
    named = {
        "panel": world.kind,
        "dataset": world.kind,
        "split": f"{world.seed}" if world.kind == "digits" else "",
        "seed": world.seed,
        "task": 0,
        "classes": world.classes,
        "outside": world.outside,
        "direction": "reverse",
    }
    students = projections if world.kind == "hull" else mixed
    yield from ({**named, **row} for row in students(world, settings, upstream))


def projections(world: World, settings: Settings, upstream: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Of a hull: by generator the projection of the teacher, beside that of the truth."""
    data, weights = upstream["data"][world.name], upstream["strong"][world.name]
    truth, teacher, experts = (data[name] for name in ("truth", "teacher", "experts"))
    for name, generator in generators(world).items():
        student, best = (np.einsum("e,nec->nc", weights[f"{name}{whose}"], experts) for whose in ("", ".truth"))
        yield {
            **columns(generator, truth, teacher, student, best),
            "epsilon": float(divergence(generator, best, truth)),
            "certificate": float(weights[f"{name}.gap"][0]),
            "weak": "warped truth",
            "strong": f"{experts.shape[1]} experts",
            "head": "mixture",
            "inputs": "reused",
            "generator": name,
            "loss": "projection",
            "heads": experts.shape[1],
            "n_train": len(truth),
            "n_eval": len(truth),
        }


def mixed(world: World, settings: Settings, upstream: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Of a world with inputs: by loss and number of heads the student, beside one head on true labels."""
    data, views, fitted = (upstream[verb][world.name] for verb in ("data", "represent", "weak"))
    truth, strong = data["truth.test"], views["strong.test"]
    teacher = floored(combined.predict(views["weak.test"], fitted), FLOOR)
    ceiling = floored(combined.predict(strong, upstream["strong"][f"{world.name}.ceiling"]), FLOOR)
    for loss, heads in settings.students(world):
        student = floored(combined.predict(strong, upstream["strong"][f"{world.name}.{loss}.{heads}"]), FLOOR)
        roles = {"weak": teacher, "student": student, "ceiling": ceiling}
        # A one-hot truth is infinitely far from every student in the direction of epsilon.
        known = world.kind == "synthetic"
        yield {
            **columns(GENERATORS["kl"], truth, teacher, student, ceiling),
            **{f"{role}_accuracy": float(agreement(truth, model)) for role, model in roles.items()},
            "epsilon": float(divergence(GENERATORS["kl"], ceiling, truth)) if known else np.nan,
            "weak": "part of the inputs",
            "strong": "all inputs",
            "head": "softmax",
            "inputs": "fresh",
            "generator": "kl",
            "loss": loss,
            "heads": heads,
            "n_train": len(data["truth.student"]),
            "n_eval": len(truth),
        }


def columns(generator: Generator, truth: Array, teacher: Array, student: Array, ceiling: Array) -> dict[str, float]:
    """Errors, gain, misfit and cross term in the units of a generator."""
    roles = {"weak": teacher, "student": student, "ceiling": ceiling}
    errors = {f"{role}_error": float(divergence(generator, truth, model)) for role, model in roles.items()}
    found = gain(generator, truth, teacher, student)
    return {**errors, **{name: float(value) for name, value in found._asdict().items()}}
