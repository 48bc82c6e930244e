"""Teachers of both kinds: a head on every frozen rung, and the rungs finetuned whole.

Items as in the molecules experiment: `<dataset>-<split>` with `predictions` (teachers, n), and
`teachers-<dataset>-<split>`, the table that says what each row is.
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
from pipeline.experiments import molecules_study as study
from pipeline.experiments.molecules.common import fitting, rungs
from pipeline.experiments.molecules.common.rungs import Rung
from pipeline.experiments.molecules.common.teachers import FROZEN, Teacher, with_full_labels
from pipeline.experiments.molecules_gpu.settings import Settings, Weak

Key = tuple[str, str, Teacher]


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Teachers of every data set, split, rung and seed; a teacher is one unit, the long ones first."""
    listed = [rung for rung in rungs.listed(upstream["represent"]["rungs"]) if rung.ladder == "smiles"]
    data, own = upstream["data"], settings.weak
    places = list(product(settings.data.datasets, settings.data.splits.names))
    keys = [
        (name, split, teacher)
        for name, split in places
        for teacher in teachers_of(listed, data[f"{name}-{split}"], own)
    ]
    sizes = {name: len(data[name]["labels"]) for name in settings.data.datasets}
    ordered = sorted(keys, key=lambda key: (key[2].training == FROZEN, -key[2].size * key[2].n_labels * sizes[key[0]]))
    fitted = pool.map(fit, {unit(key): (*key, data, upstream["represent"], own) for key in ordered})
    items: dict[str, Any] = {}
    for place in places:
        mine = [key for key in keys if key[:2] == place]
        name, split = place
        items[f"{name}-{split}"] = {"predictions": np.stack([fitted[unit(key)]["predictions"] for key in mine])}
        items[f"teachers-{name}-{split}"] = pd.DataFrame([key[2] for key in mine], columns=Teacher._fields)
    return items


def teachers_of(listed: list[Rung], parts: Arrays, settings: Weak) -> list[Teacher]:
    """Frozen teachers over every rung, then the finetuned ones as the study with finetuned teachers has them."""
    frozen = [
        teacher
        for rung in listed
        for teacher in with_full_labels(rung, len(parts["train"]), len(parts["teacher_half"]))
        if teacher.inputs in settings.finetuned.inputs
    ]
    return [*frozen, *study.teachers_of(listed, parts, settings.finetuned)]


def unit(key: Key) -> str:
    """Name of a unit of work."""
    return f"{key[2].training}-{study.unit(key)}"


def fit(
    name: str, split: str, teacher: Teacher, data: Mapping[str, Any], represent: Mapping[str, Any], settings: Weak
) -> Arrays:
    """Predictions (n,) of one teacher."""
    if teacher.training == FROZEN:
        return fit_frozen(name, split, teacher, data, represent, settings)
    return study.fit(name, split, teacher, data, represent, settings.finetuned)


def fit_frozen(
    name: str, split: str, teacher: Teacher, data: Mapping[str, Any], represent: Mapping[str, Any], settings: Weak
) -> Arrays:
    """Predictions (n,) of a head on a frozen rung, its epochs weighed by the validation part."""
    rows = fitting.molecules(data[f"{name}-{split}"], teacher.inputs, "teacher")
    features, truth = represent[teacher.item][name], data[name]["labels"][None]
    stream = streams.generator(teacher.seed, f"molecules/teacher-{unit((name, split, teacher))}")
    try:
        return {"predictions": fitting.fit_adamw(features, truth, rows, settings.frozen, stream)[0]}
    except FloatingPointError as error:
        cell = f"{{experiment}}, {name}, split {split}, frozen teacher {teacher.weak}"
        raise InputError(f"{cell}: {error}; lower weak.frozen.learning_rate in {{where}}") from None
