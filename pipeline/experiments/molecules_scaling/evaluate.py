"""Measure every student on the whole population, and beside it on its test part: one cell per student.

The population is all molecules that the teacher did not learn from; no student sees a true label of it.  Where
`inputs` is `own` and `sample` is `whole`, sample and population are the same: the student is the projection of its
teacher on the ball of weights no longer than its own, the setting of Charikar et al.'s theorem.

Further columns: `sample` (part or whole of what there is), `freedom` of the student's head, `effective` sample size of
weighted labels, `auc` of corpus against data set, `n_teacher`, and errors and misfit on the test part (`test_...`).
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common import ball, fitting
from pipeline.experiments.molecules.common.rungs import STRONG, listed
from pipeline.experiments.molecules_scaling.common.students import OWN
from pipeline.experiments.molecules_scaling.settings import Settings
from pipeline.measures import squared
from pipeline.summary.metrics import by_unit
from pipeline.theory import misfit

Array = np.ndarray
TEST = ("test_weak_error", "test_student_error", "test_misfit")
NAMED = ("panel", "dataset", "split", "weak", "strong", "head", "inputs", "control", "seed", "n_train", "n_eval")
FURTHER = ("sample", "freedom", "effective", "auc", "n_teacher", *TEST)
KEYS = ("n_train",)
# Evaluated on the population, the 60 % that the teacher was not trained on.
OVERLAP = {"split": 1.5}
ESTIMATES = ("transformers pretrained with torch, where rounding grows",)


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every data set and split, and a summary of the students that fit the whole population."""
    keys = list(product(settings.data.datasets, settings.splits()))
    bundles = tuple(upstream[name] for name in ("data", "represent", "weak", "strong"))
    measured = pool.map(measure, {f"{name}-{split}": (name, split, *bundles) for name, split in keys})
    strong = listed(upstream["represent"]["rungs"])[-1].name
    tables = [table(name, split, upstream).assign(**measured[f"{name}-{split}"]) for name, split in keys]
    cells = pd.concat(tables, ignore_index=True).assign(panel="population", strong=strong, head="ridge")
    end = cells[(cells["inputs"] == OWN) & (cells["sample"] == "whole") & (cells["control"] == "")]
    return {
        "cells": cells[[*NAMED, *squared.COLUMNS, *FURTHER]],
        "metrics": by_unit(end, "split", ("dataset", "inputs"), settings.evaluate.confidence),
    }


def table(name: str, split: str, upstream: Mapping[str, Any]) -> pd.DataFrame:
    """Names of the students of one data set and split."""
    students = upstream["strong"][f"students-{name}-{split}"]
    named = upstream["weak"]["teachers"].iloc[students["teacher"]].reset_index(drop=True)
    return pd.concat([students, named], axis=1).assign(dataset=name, split=split)


def measure(
    name: str,
    split: str,
    data: Mapping[str, Any],
    represent: Mapping[str, Any],
    weak: Mapping[str, Any],
    strong: Mapping[str, Any],
) -> Arrays:
    """Measures of every student of one data set and split, each (students,)."""
    parts, fitted = weak[f"{name}-{split}"], strong[f"{name}-{split}"]
    rows = parts["population"]
    truth, features = data[name]["labels"][rows], represent[STRONG][name][rows]
    teacher = parts["predictions"][:, rows][strong[f"students-{name}-{split}"]["teacher"]].astype(np.float64)
    student = fitted["student"][:, rows]
    ceiling = np.broadcast_to(fitted["ceiling"][rows], student.shape)
    count, test = len(student), np.isin(rows, parts["test"])
    true = np.broadcast_to(truth[test], (count, test.sum()))
    return {
        **squared.measure(truth, teacher, student, ceiling, class_minimum(features, truth, fitted["norm"])),
        "freedom": fitted["freedom"],
        "effective": fitted["effective"],
        "auc": np.full(count, strong[f"distance-{name}"]["auc"][0]),
        "n_eval": np.full(count, len(rows)),
        "n_teacher": np.full(count, len(parts["teacher"])),
        "test_weak_error": misfit.error(true, teacher[:, test]),
        "test_student_error": misfit.error(true, student[:, test]),
        "test_misfit": misfit.misfit(teacher[:, test], student[:, test]),
    }


def class_minimum(features: Array, truth: Array, norms: Array) -> Array:
    """Least error on the population of any head whose weights are no longer than each student's, (students,).

    For raw features the bound on the norm is the same whatever the scale on which a student was fitted.
    """
    rows = np.arange(len(truth))
    return fitting.class_minimum(features, truth, rows, rows, norms * ball.common_scale(features))[0]
