"""Fit students on weak labels, and ceilings on true labels of the same molecules.

Items: `<dataset>-<split>` with `student` (students, n), predictions for all molecules of the data set, float32,
`ceiling` (ceilings, n), `radius` (students,), the norm of the head in label units, 0 where the class is not bounded,
and `freedom` (students,), degrees of freedom of the head, 0 where not known; `students-<dataset>-<split>`, the table of
students joined to their teachers, whose column `ceiling` is a row of `ceiling`.

A student's penalty rests on the weak labels it is fitted on, its weights of epochs on weak labels of the validation
part; a ceiling's on true ones.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common import fitting, rungs
from pipeline.experiments.molecules.common.teachers import Student
from pipeline.experiments.molecules.common.teachers import students as students_of
from pipeline.experiments.molecules.settings import Settings, Strong

GROUP = ["inputs", "student_item", "head"]  # students that share molecules, features and head are fitted together


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Students and ceilings of every data set and split."""
    strong, splits = rungs.listed(upstream["represent"]["rungs"])[-1], settings.data.splits
    bundles = (upstream["data"], upstream["represent"], upstream["labels"], settings.strong)
    units = {}
    for name, split in product(settings.data.datasets, splits.names):
        convex = tuple(head for head in settings.strong.heads if head == "ball")
        heads = convex if splits.panel(split) == "random" else settings.strong.heads
        students = joined(upstream["labels"][f"teachers-{name}-{split}"], strong, heads)
        units[f"{name}-{split}"] = (name, split, students, *bundles)
    longest = sorted(units, key=lambda unit: -len(upstream["data"][units[unit][0]]["labels"]))
    fitted = pool.map(fit, {unit: units[unit] for unit in longest})
    tables = {f"students-{unit}": students for unit, (_, _, students, *_) in units.items()}
    return {**tables, **{unit: fitted[unit] for unit in units}}


def joined(teachers: pd.DataFrame, strong: rungs.Rung, heads: tuple[str, ...]) -> pd.DataFrame:
    """One row per student: its own columns, then those of its teacher."""
    table = pd.DataFrame(students_of(teachers, strong, heads), columns=Student._fields)
    own = table.rename(columns={"item": "student_item"}).join(teachers, on="teacher")
    return own.assign(ceiling=own.groupby(GROUP, sort=False).ngroup())


def fit(
    name: str,
    split: str,
    students: pd.DataFrame,
    data: Mapping[str, Any],
    represent: Mapping[str, Any],
    labels: Mapping[str, Any],
    settings: Strong,
) -> Arrays:
    """Predictions of all students and ceilings of one data set and split."""
    parts, truth, weak = data[f"{name}-{split}"], data[name]["labels"], labels[f"{name}-{split}"]["labels"]
    found = {
        "student": np.empty((len(students), len(truth)), dtype=np.float32),
        "ceiling": np.empty((students["ceiling"].max() + 1, len(truth)), dtype=np.float32),
        "radius": np.zeros(len(students)),
        "freedom": np.zeros(len(students)),
    }
    for (inputs, item, head), group in students.groupby(GROUP, sort=False):
        places, rows = group.index.to_numpy(), fitting.molecules(parts, inputs, "student")
        # The ceiling is one more task, whose labels are the truth.
        targets = np.concatenate([weak[group["teacher"]], truth[None]])
        if head == "adamw":
            cell = f"{{experiment}}, {name}, split {split}, {head} students of {inputs} molecules"
            stream = streams.generator(0, f"molecules/student-{name}-{split}-{inputs}")
            try:
                predictions = fitting.fit_adamw(represent[item][name], targets, rows, settings.adamw, stream)
            except FloatingPointError as error:
                raise InputError(f"{cell}: {error}; lower strong.adamw.learning_rate in {{where}}") from None
        else:
            predictions, radius, freedom = fitting.fit_ridge(represent[item][name], targets, rows.train)
            found["radius"][places], found["freedom"][places] = radius[:-1], freedom[:-1]
        found["student"][places], found["ceiling"][group["ceiling"].iloc[0]] = predictions[:-1], predictions[-1]
    return found
