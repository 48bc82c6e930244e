"""Measure teacher, student and ceiling on the test molecules, all on the same ones: one cell per student.

Further columns: `ladder`, `weak_size`, `regime`, `training`; the same measures on the validation part (`valid_...`),
which selection rules may use; and, for the convex head, on the student's own molecules (`train_...`), where it is the
exact projection of its teacher, so that the bound is a theorem.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common import fitting
from pipeline.experiments.molecules.common.teachers import FEW, FULL
from pipeline.experiments.molecules.settings import Settings
from pipeline.measures import squared
from pipeline.summary.metrics import by_unit
from pipeline.theory import bounds, misfit

VALID = ("valid_weak_error", "valid_student_error", "valid_misfit")
TRAIN = ("train_gain", "train_misfit", "train_epsilon", "train_bound")
KEPT = ("panel", "dataset", "split", "weak", "strong", "head", "inputs", "seed", "n_train", "n_eval", *squared.COLUMNS)
FURTHER = ("ladder", "weak_size", "regime", "training", "radius", *VALID, *TRAIN)
KEYS = ("ladder", "regime", "training", "n_train")
TOLERANCE = (1e-8, 0.1, "transformers pretrained with torch, where rounding grows; not measured")


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every data set and split, and their summary."""
    keys = list(product(settings.data.datasets, settings.data.splits))
    bundles = tuple(upstream[name] for name in ("data", "represent", "weak", "strong"))
    measured = pool.map(measure, {f"{name}-{split}": (name, split, *bundles) for name, split in keys})
    cells = pd.concat(
        [_table(name, split, measured[f"{name}-{split}"], upstream["strong"]) for name, split in keys],
        ignore_index=True,
    )
    full, names = cells[(cells["regime"] == FULL) & (cells["ladder"] == "smiles")], ("training", "head", "inputs")
    return {
        "cells": cells,
        "metrics": by_unit(full, "split", ("dataset", *names), settings.evaluate.confidence),
    }


def measure(
    name: str,
    split: str,
    data: Mapping[str, Any],
    represent: Mapping[str, Any],
    weak: Mapping[str, Any],
    strong: Mapping[str, Any],
) -> Arrays:
    """Measures of every student of one data set and split, each (students,); NaN where one has no meaning."""
    parts, truth = data[f"{name}-{split}"], data[name]["labels"]
    fitted, students = strong[f"{name}-{split}"], strong[f"students-{name}-{split}"]
    teacher = weak[f"{name}-{split}"]["predictions"][_teachers(students, weak[f"teachers-{name}-{split}"])]
    student, ceiling = fitted["student"], fitted["ceiling"]
    minima = class_minima(name, students, fitted["radius"], parts, truth, represent)
    on_test = squared.measure(
        *(values[..., parts["test"]] for values in (truth, teacher, student, ceiling)), minima["test"]
    )
    valid = [values[..., parts["valid"]] for values in (truth, teacher, student)]
    return {
        **on_test,
        "valid_weak_error": _error(valid[0], valid[1]),
        "valid_student_error": _error(valid[0], valid[2]),
        "valid_misfit": misfit.misfit(valid[1], valid[2]),
        **on_own_molecules(students, truth, teacher, student, parts, minima["train"]),
        "radius": np.where(fitted["radius"] > 0, fitted["radius"], np.nan),
        "n_train": _labels_learned_from(students, parts),
        "n_eval": np.full(len(students), len(parts["test"])),
    }


def class_minima(
    name: str,
    students: pd.DataFrame,
    radius: np.ndarray,
    parts: Arrays,
    truth: np.ndarray,
    represent: Mapping[str, Any],
) -> Arrays:
    """Error of the best member of each student's class, on the test molecules and on its own: (students,) each.

    The class of a `ball` student is the ball of the radius it selected.  On the test molecules the minimum is left
    empty (NaN) where it takes more than half as many degrees of freedom as there are molecules: then it says how well
    the class learns these labels by heart.  The class of `adamw` is every linear head, which over 512 features does
    that always; so it has no minimum here.  On its own molecules the student is the exact projection in the same
    ball, and the theorem holds for these molecules whatever the freedom.
    """
    minima = {part: np.full(len(students), np.nan) for part in ("test", "train")}
    for (item, inputs), group in students[radius > 0].groupby(["student_item", "inputs"], sort=False):
        features, rows = represent[item][name], group.index.to_numpy()
        own = fitting.molecules(parts, inputs, "student").train
        minima["train"][rows], _ = fitting.class_minimum(features, truth, own, own, radius[rows])
        least, freedom = fitting.class_minimum(features, truth, parts["test"], own, radius[rows])
        minima["test"][rows] = np.where(freedom <= len(parts["test"]) / 2, least, np.nan)
    return minima


def on_own_molecules(
    students: pd.DataFrame,
    truth: np.ndarray,
    teacher: np.ndarray,
    student: np.ndarray,
    parts: Arrays,
    epsilon: np.ndarray,
) -> Arrays:
    """Gain, misfit, epsilon and bound on the molecules that a convex student was fitted on, (students,) each."""
    measured = {column: np.full(len(students), np.nan) for column in TRAIN}
    for inputs, group in students[np.isfinite(epsilon)].groupby("inputs"):
        rows, own = group.index.to_numpy(), fitting.molecules(parts, inputs, "student").train
        exact, weak, fitted = (
            np.broadcast_to(truth[own], (len(rows), len(own))),
            teacher[rows][:, own],
            student[rows][:, own],
        )
        disagreement = misfit.misfit(weak, fitted)
        measured["train_gain"][rows] = misfit.gain(exact, weak, fitted)
        measured["train_misfit"][rows] = disagreement
        measured["train_epsilon"][rows] = epsilon[rows]
        measured["train_bound"][rows] = bounds.gain_lower_bound(disagreement, epsilon[rows])
    return measured


def _error(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    return misfit.error(np.broadcast_to(truth, prediction.shape), prediction)


def _labels_learned_from(students: pd.DataFrame, parts: Arrays) -> np.ndarray:
    """Weak labels that the student saw; in the regime of few labels, the true labels that its teacher saw."""
    seen = [len(fitting.molecules(parts, inputs, "student").train) for inputs in students["inputs"]]
    return np.where(students["regime"] == FEW, students["n_labels"], seen)


def _teachers(students: pd.DataFrame, teachers: pd.DataFrame) -> np.ndarray:
    """Row of each student's teacher in the bundle of teachers."""
    key = ["item", "inputs", "regime", "training", "n_labels"]
    place = {row: index for index, row in enumerate(teachers[key].itertuples(index=False, name=None))}
    return np.array([place[row] for row in students[key].itertuples(index=False, name=None)])


def _table(name: str, split: str, measured: Arrays, strong: Mapping[str, Any]) -> pd.DataFrame:
    students = strong[f"students-{name}-{split}"]
    cells = students.rename(columns={"size": "weak_size"}).assign(**measured)
    return cells.assign(panel="pretrained", dataset=name, split=split)[[*KEPT, *FURTHER]]
