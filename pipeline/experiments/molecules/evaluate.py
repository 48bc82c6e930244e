"""Measure teacher, student and ceiling on the test molecules, all on the same ones: one cell per student.

`panel` says whether a split is ChemBench's (`chembench`) or ours (`random`).  Further columns: `ladder`, `weak_size`,
`regime`, `training`; `freedom`, degrees of freedom of the head; the same measures on the validation part (`valid_...`),
which selection rules may use, and on the student's own molecules (`train_...`), where a `ball` student is the exact
projection of its teacher, so that the bound is a theorem.

The control `teachers_labels` is no student of a teacher: it is the strong representation fitted on the true labels that
the teacher has seen, measured against that teacher.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common import fitting
from pipeline.experiments.molecules.common.teachers import FEW, FULL, ITSELF, NONE, RANDOM
from pipeline.experiments.molecules.settings import Settings
from pipeline.measures import squared
from pipeline.summary.metrics import by_unit
from pipeline.theory import bounds, misfit

VALID = ("valid_weak_error", "valid_student_error", "valid_misfit")
TRAIN = ("train_weak_error", "train_gain", "train_misfit", "train_epsilon", "train_bound")
KEPT = (
    *("panel", "dataset", "split", "weak", "strong", "head", "inputs", "control", "seed", "n_train", "n_eval"),
    *squared.COLUMNS,
)
FURTHER = ("ladder", "weak_size", "regime", "training", "freedom", *VALID, *TRAIN)
KEYS = ("ladder", "regime", "training", "n_train")
# Test molecules for each training molecule: random splits share molecules, so their estimates are not independent.
OVERLAP = {"split": 0.125}
ESTIMATES = ("transformers pretrained and finetuned with torch, where rounding grows",)
TEACHERS_LABELS = "teachers_labels"
DIGITS = 7  # of the further measures: the table stays small


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every data set and split, and their summary."""
    keys, splits = list(product(settings.data.datasets, settings.data.splits.names)), settings.data.splits
    bundles = tuple(upstream[name] for name in ("data", "represent", "weak", "strong"))
    asked = {(name, split): table(name, split, *bundles[2:]) for name, split in keys}
    measured = pool.map(
        measure,
        {
            f"{name}-{split}": (name, split, splits.panel(split) == "chembench", asked[name, split], *bundles)
            for name, split in keys
        },
    )
    cells = pd.concat(
        [
            asked[name, split]
            .rename(columns={"size": "weak_size"})
            .assign(**measured[f"{name}-{split}"], panel=splits.panel(split), dataset=name, split=split)
            for name, split in keys
        ],
        ignore_index=True,
    )
    cells["control"] = cells["control"].replace(NONE, np.nan)
    rounded = ["freedom", *VALID, *TRAIN]
    cells[rounded] = cells[rounded].map(lambda value: float(f"{value:.{DIGITS}g}"))
    full = cells[(cells["regime"] == FULL) & (cells["ladder"] == "smiles") & cells["control"].isna()]
    names = ("dataset", "panel", "training", "head", "inputs")
    return {
        "cells": cells[[*KEPT, *FURTHER]],
        "metrics": by_unit(full, "split", names, settings.evaluate.confidence, OVERLAP["split"]),
    }


def table(name: str, split: str, weak: Mapping[str, Any], strong: Mapping[str, Any]) -> pd.DataFrame:
    """One row per student: its row in the bundle of students (``student``) and its teacher's in that of ``teacher``.

    The last row, where there are controls, is `teachers_labels`.  The strong representation on the teacher's labels is
    the teacher of the control `itself`: ``other`` is its row in the bundle of teachers, and there is no ``student``.
    """
    students, known = strong[f"students-{name}-{split}"], weak[f"teachers-{name}-{split}"]
    rows = students.assign(teacher=_teachers(students, known), student=np.arange(len(students)), other=-1)
    own = rows[rows["control"] == ITSELF]
    if own.empty:
        return rows
    rung = rows.loc[rows["control"] == RANDOM, "weak"].iloc[0]
    alike = (rows["weak"] == rung) & (rows["control"] == NONE) & (rows["inputs"] == "half") & (rows["regime"] == FULL)
    last = rows[alike].head(1).assign(control=TEACHERS_LABELS, student=-1, other=own["teacher"].iloc[0])
    return pd.concat([rows, last], ignore_index=True)


def measure(
    name: str,
    split: str,
    with_epsilon: bool,
    asked: pd.DataFrame,
    data: Mapping[str, Any],
    represent: Mapping[str, Any],
    weak: Mapping[str, Any],
    strong: Mapping[str, Any],
) -> Arrays:
    """Measures of every row asked for of one data set and split, each (rows,); NaN where one has no meaning.

    with_epsilon: whether to find the best member of each class, which is slow.
    """
    parts, truth = data[f"{name}-{split}"], data[name]["labels"]
    predicted, fitted = weak[f"{name}-{split}"]["predictions"].astype(np.float64), strong[f"{name}-{split}"]
    is_student = (asked["student"] >= 0).to_numpy()
    teacher = predicted[asked["teacher"]]
    student = np.where(is_student[:, None], fitted["student"][asked["student"]], predicted[asked["other"]])
    ceiling = fitted["ceiling"][asked["ceiling"]].astype(np.float64)
    radius = np.where(is_student, fitted["radius"][asked["student"]], 0)
    freedom = np.where(is_student, fitted["freedom"][asked["student"]], 0)
    minima = class_minima(name, asked, radius if with_epsilon else np.zeros(len(asked)), parts, truth, represent)
    on_test = squared.measure(
        *(values[..., parts["test"]] for values in (truth, teacher, student, ceiling)), minima["test"]
    )
    valid = [values[..., parts["valid"]] for values in (truth, teacher, student)]
    return {
        **on_test,
        "valid_weak_error": _error(valid[0], valid[1]),
        "valid_student_error": _error(valid[0], valid[2]),
        "valid_misfit": misfit.misfit(valid[1], valid[2]),
        **on_own_molecules(asked, truth, teacher, student, parts, minima["train"]),
        "freedom": np.where(freedom > 0, freedom, np.nan),
        "n_train": _labels_learned_from(asked, parts),
        "n_eval": np.full(len(asked), len(parts["test"])),
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

    The class of a `ball` student is the ball of its own radius.  On the test molecules the minimum is left empty (NaN)
    where it takes more than half as many degrees of freedom as there are molecules: then it says how well the class
    learns these labels by heart.  The class of `adamw` is every linear head, which over 512 features does that always;
    so it has no minimum here.  On its own molecules the student is the exact projection in the same ball, and the
    theorem holds for these molecules whatever the freedom.
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
    """Teacher's error, gain, misfit, epsilon and bound on the molecules that a student was fitted on, (students,) each.

    Unlike those on test molecules they hold no error of estimation from the student's few molecules.
    """
    measured = {column: np.full(len(students), np.nan) for column in TRAIN}
    for inputs, group in students.groupby("inputs"):
        rows, own = group.index.to_numpy(), fitting.molecules(parts, inputs, "student").train
        weak, fitted = teacher[rows][:, own], student[rows][:, own]
        exact = np.broadcast_to(truth[own], weak.shape)
        disagreement = misfit.misfit(weak, fitted)
        known = np.isfinite(epsilon[rows])
        bound = bounds.gain_lower_bound(disagreement, np.where(known, epsilon[rows], 0))
        measured["train_weak_error"][rows] = misfit.error(exact, weak)
        measured["train_gain"][rows] = misfit.gain(exact, weak, fitted)
        measured["train_misfit"][rows] = disagreement
        measured["train_epsilon"][rows] = epsilon[rows]
        measured["train_bound"][rows] = np.where(known, bound, np.nan)
    return measured


def _error(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    return misfit.error(np.broadcast_to(truth, prediction.shape), prediction)


def _labels_learned_from(students: pd.DataFrame, parts: Arrays) -> np.ndarray:
    """Weak labels that the student saw; in the regime of few labels, the true labels that its teacher saw."""
    seen = [len(fitting.molecules(parts, inputs, "student").train) for inputs in students["inputs"]]
    of_its_own = (students["regime"] == FEW) | (students["control"] == TEACHERS_LABELS)
    return np.where(of_its_own, students["n_labels"], seen)


def _teachers(students: pd.DataFrame, teachers: pd.DataFrame) -> np.ndarray:
    """Row of each student's teacher in the bundle of teachers."""
    key = ["item", "inputs", "regime", "training", "n_labels", "control"]
    place = {row: index for index, row in enumerate(teachers[key].itertuples(index=False, name=None))}
    return np.array([place[row] for row in students[key].itertuples(index=False, name=None)])
