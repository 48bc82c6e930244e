"""Fit students on weak labels, and ceilings on true labels of the same molecules.

Items: `<dataset>-<split>` with `student` and `ceiling` (students, n), predictions for all molecules of the data set,
and `radius` (students,), the selected norm bound in label units, 0 where the head has none;
`students-<dataset>-<split>`, the table of students joined to their teachers.

What a student selects (epoch, radius) it selects on weak labels of the validation part; a ceiling on true ones.
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
from pipeline.experiments.molecules.common.teachers import Student, students
from pipeline.experiments.molecules.settings import Settings, Strong

GROUP = ["inputs", "student_item", "head"]  # students that share molecules, features and head are fitted together


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Students and ceilings of every data set and split."""
    strong = rungs.listed(upstream["represent"]["rungs"])[-1]
    keys = list(product(settings.data.datasets, settings.data.splits))
    tables = {
        f"{name}-{split}": joined(upstream["labels"][f"teachers-{name}-{split}"], strong, settings.strong.heads)
        for name, split in keys
    }
    bundles = (upstream["data"], upstream["represent"], upstream["labels"], settings.strong)
    units, places = {}, {}
    for name, split in sorted(keys, key=lambda key: -len(upstream["data"][key[0]]["labels"])):
        for kind, group in tables[f"{name}-{split}"].groupby(GROUP, sort=False):
            unit = "-".join((name, split, *kind))
            units[unit] = (name, split, kind, group["teacher"].to_numpy(), *bundles)
            places[unit] = (f"{name}-{split}", group.index.to_numpy())
    fitted = pool.map(fit, units)
    items: dict[str, Any] = {f"students-{key}": table for key, table in tables.items()}
    for key in tables:
        items[key] = _assembled([(rows, fitted[unit]) for unit, (owner, rows) in places.items() if owner == key])
    return items


def joined(teachers: pd.DataFrame, strong: rungs.Rung, heads: tuple[str, ...]) -> pd.DataFrame:
    """One row per student: its own columns, then those of its teacher."""
    table = pd.DataFrame(students(teachers, strong, heads), columns=Student._fields)
    own = table.rename(columns={"item": "student_item"})
    return own.join(teachers, on="teacher")


def fit(
    name: str,
    split: str,
    kind: tuple[str, str, str],
    teachers: np.ndarray,
    data: Mapping[str, Any],
    represent: Mapping[str, Any],
    labels: Mapping[str, Any],
    settings: Strong,
) -> Arrays:
    """Predictions of the students of some teachers, and of their common ceiling, with one kind of head."""
    inputs, item, head = kind
    rows = fitting.molecules(data[f"{name}-{split}"], inputs, "student")
    features = represent[item][name]
    # The ceiling is one more task, whose labels are the truth.
    targets = np.concatenate([labels[f"{name}-{split}"]["labels"][teachers], data[name]["labels"][None]])
    cell = f"{{experiment}}, {name}, split {split}, {head} students of {inputs} molecules"
    try:
        if head == "adamw":
            stream = streams.generator(0, f"molecules/student-{name}-{split}-{inputs}")
            predictions = fitting.fit_adamw(features, targets, rows, settings.adamw, stream)
            radius = np.zeros(len(targets))
        else:
            predictions, radius = fitting.fit_ball(features, targets, rows, settings.radii)
    except FloatingPointError as error:
        raise InputError(f"{cell}: {error}; lower strong.adamw.learning_rate in {{where}}") from None
    ceiling = np.broadcast_to(predictions[-1], predictions[:-1].shape)
    return {"student": predictions[:-1], "ceiling": ceiling, "radius": radius[:-1]}


def _assembled(pieces: list[tuple[np.ndarray, Arrays]]) -> Arrays:
    order = np.argsort(np.concatenate([rows for rows, _ in pieces]))
    return {
        key: np.concatenate([arrays[key] for _, arrays in pieces])[order] for key in ("student", "ceiling", "radius")
    }
