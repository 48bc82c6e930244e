"""Fit the teachers on true labels: heads over every frozen rung, and teachers that see few labels.

Items: `<dataset>-<split>` with `predictions` (teachers, n) for all molecules of the data set, and
`teachers-<dataset>-<split>`, the table that says what each row is.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.config import AdamW
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common import fitting, pretrained, rungs
from pipeline.experiments.molecules.common.rungs import Rung
from pipeline.experiments.molecules.common.teachers import FINETUNED, FULL, Teacher, with_few_labels, with_full_labels
from pipeline.experiments.molecules.settings import FewLabels, Settings, Weak
from pipeline.models.molecules import finetuning


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Teachers of every data set and split."""
    listed = rungs.listed(upstream["represent"]["rungs"])
    _check_sizes(settings.weak.few_labels, listed)
    bundles = (upstream["data"], upstream["represent"], settings.weak)
    keys = list(product(settings.data.datasets, settings.data.splits))
    units = {
        f"{name}-{split}-{rung.item}": (name, split, rung, listed[0].seed, *bundles)
        for rung in sorted(listed, key=lambda rung: -_cost(rung, settings.weak.few_labels))
        for name, split in keys
    }
    fitted = pool.map(fit, units)
    items: dict[str, Any] = {}
    for name, split in keys:
        teachers = [
            teachers_of(rung, listed[0].seed, upstream["data"][f"{name}-{split}"], settings.weak) for rung in listed
        ]
        pieces = [fitted[f"{name}-{split}-{rung.item}"]["predictions"] for rung in listed]
        items[f"{name}-{split}"] = {"predictions": np.concatenate(pieces)}
        items[f"teachers-{name}-{split}"] = pd.DataFrame(sum(teachers, []), columns=Teacher._fields)
    return items


def teachers_of(rung: Rung, first_seed: int, parts: Arrays, settings: Weak) -> list[Teacher]:
    """Teachers over one rung; counts of labels that the teacher's half does not have are left out."""
    few = settings.few_labels
    half = len(parts["teacher_half"])
    counts = tuple(count for count in few.counts if count <= half)
    return [
        *with_full_labels(rung, len(parts["train"]), half),
        *with_few_labels(rung, counts, few.finetuning.hidden_sizes, first_seed),
    ]


def fit(
    name: str,
    split: str,
    rung: Rung,
    first_seed: int,
    data: Mapping[str, Any],
    represent: Mapping[str, Any],
    settings: Weak,
) -> Arrays:
    """Predictions (teachers, n) of all teachers over one rung, for one data set and split."""
    parts, molecules = data[f"{name}-{split}"], data[name]
    features = represent[rung.item][name]
    predictions = np.zeros((0, len(features)))
    for teacher in teachers_of(rung, first_seed, parts, settings):
        kind = f"{teacher.weak} ({teacher.training}, {teacher.n_labels} labels)"
        cell = f"{{experiment}}, {name}, split {split}, teacher {kind}"
        stream = streams.generator(rung.seed, f"molecules/teacher-{name}-{split}-{'-'.join(map(str, teacher))}")
        try:
            fitted = _fit(teacher, features, molecules, parts, represent, settings, stream)
        except FloatingPointError as error:
            raise InputError(f"{cell}: {error}; lower its learning_rate under weak in {{where}}") from None
        predictions = np.concatenate([predictions, fitted[None]])
    return {"predictions": predictions}


def _fit(
    teacher: Teacher,
    features: np.ndarray,
    molecules: Arrays,
    parts: Arrays,
    represent: Mapping[str, Any],
    settings: Weak,
    stream: np.random.Generator,
) -> np.ndarray:
    truth = molecules["labels"][None]
    few = settings.few_labels
    if teacher.regime == FULL:
        rows = fitting.molecules(parts, teacher.inputs, "teacher")
        if teacher.ladder == "morgan":
            return fitting.fit_ball(features, truth, rows, settings.radii)[0][0]
        return fitting.fit_adamw(features, truth, rows, settings.adamw, stream)[0]
    labelled = parts["teacher_half"][: teacher.n_labels]
    if teacher.training == FINETUNED:
        whole = few.finetuning
        recipe = finetuning.Recipe(whole.batch_size, whole.learning_rate / np.sqrt(teacher.size), whole.weight_decay)
        model, texts = pretrained.model(represent[f"weights-{teacher.item}"]), pretrained.sequences(molecules)
        return finetuning.finetune(model, texts, truth[0], labelled, recipe, whole.steps, stream)
    epochs = _in_steps(few, len(labelled))
    return fitting.fit_adamw_steps(features, truth, labelled, parts["teacher_half"], epochs, stream)[0]


def _in_steps(few: FewLabels, samples: int) -> AdamW:
    """As many epochs as give the number of steps, whatever the number of labels."""
    epochs = -(-few.steps // -(-samples // few.batch_size))
    return AdamW(
        epochs=epochs, batch_size=few.batch_size, learning_rate=few.learning_rate, weight_decay=few.weight_decay
    )


def _cost(rung: Rung, few: FewLabels) -> int:
    finetuned = rung.ladder == "smiles" and rung.size in few.finetuning.hidden_sizes
    return rung.size * (100 if finetuned else 1)


def _check_sizes(few: FewLabels, listed: list[Rung]) -> None:
    known = {rung.size for rung in listed if rung.ladder == "smiles"}
    for size in few.finetuning.hidden_sizes:
        if size not in known:
            raise InputError(
                f"weak.few_labels.finetuning.hidden_sizes holds {size}, which is no rung of "
                f"represent.ladder.hidden_sizes {sorted(known)}; choose from these in {{where}}"
            )
