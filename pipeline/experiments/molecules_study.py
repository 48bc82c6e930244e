"""Molecules with teachers finetuned whole: rungs and seeds on all true labels, smallest and largest also on few."""

from collections.abc import Mapping
from itertools import product
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.config import Block, Count, NonNegative, Positive
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules import settings as molecules
from pipeline.experiments.molecules.common import fitting, pretrained, rungs
from pipeline.experiments.molecules.common.rungs import Rung
from pipeline.experiments.molecules.common.teachers import (
    FINETUNED,
    FULL,
    Teacher,
    with_few_labels,
    with_full_labels,
)
from pipeline.models.molecules import finetuning

Key = tuple[str, str, Teacher]


class FewLabels(Block):
    """Teachers that see few labels, finetuned for a fixed number of steps."""

    counts: tuple[Annotated[int, Field(ge=2)], ...]
    finetuning: molecules.Finetuning


class Weak(Block):
    """Full finetuning at the rate ``learning_rate / sqrt(hidden size)`` for a fixed number of epochs.

    No epoch is selected on the validation part: the best of many on 65 molecules turns with a processor's rounding.

    hidden_sizes: which rungs of the ladder become teachers with all labels.
    inputs: for whose molecules teachers are made; the labels block may not ask for others.
    """

    hidden_sizes: Annotated[tuple[Count, ...], Field(min_length=1)]
    inputs: Annotated[tuple[molecules.Inputs, ...], Field(min_length=1)]
    epochs: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative
    few_labels: FewLabels

    def check(self, ladder: molecules.Ladder) -> None:
        """Raises ValueError that names a size which is no rung of the ladder."""
        for size in (*self.hidden_sizes, *self.few_labels.finetuning.hidden_sizes):
            if size not in ladder.hidden_sizes:
                raise ValueError(f"weak wants hidden size {size}, which represent.ladder.hidden_sizes lacks; add it")


class Settings(Block):
    """The settings of `molecules` with other teachers."""

    data: molecules.Data
    represent: molecules.Represent
    weak: Weak
    labels: molecules.Labels
    strong: molecules.Strong
    evaluate: molecules.Evaluate

    @model_validator(mode="after")
    def _rungs_of_the_ladder(self) -> "Settings":
        self.weak.check(self.represent.ladder)
        return self


def weak(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Teachers of every data set, split, rung and seed; a teacher is one unit, the long ones first.

    Items as in the molecules experiment: `<dataset>-<split>` with `predictions` (teachers, n), and
    `teachers-<dataset>-<split>`, the table that says what each row is.
    """
    listed = [rung for rung in rungs.listed(upstream["represent"]["rungs"]) if rung.ladder == "smiles"]
    bundles = (upstream["data"], upstream["represent"], settings.weak)
    keys = [
        (name, split, teacher)
        for name, split in product(settings.data.datasets, settings.data.splits.names)
        for teacher in teachers_of(listed, upstream["data"][f"{name}-{split}"], settings.weak)
    ]
    sizes = {name: len(upstream["data"][name]["labels"]) for name in settings.data.datasets}
    ordered = sorted(keys, key=lambda key: -key[2].size * key[2].n_labels * sizes[key[0]])
    fitted = pool.map(fit, {unit(key): (*key, *bundles) for key in ordered})
    items: dict[str, Any] = {}
    for name, split in product(settings.data.datasets, settings.data.splits.names):
        own = [key for key in keys if key[:2] == (name, split)]
        items[f"{name}-{split}"] = {"predictions": np.stack([fitted[unit(key)]["predictions"] for key in own])}
        items[f"teachers-{name}-{split}"] = pd.DataFrame([key[2] for key in own], columns=Teacher._fields)
    return items


def teachers_of(listed: list[Rung], parts: Arrays, settings: Weak) -> list[Teacher]:
    """Teachers of one data set and split, all finetuned."""
    few, half = settings.few_labels, len(parts["teacher_half"])
    counts = {FINETUNED: [count for count in few.counts if count <= half]}
    found = []
    for rung in listed:
        full = with_full_labels(rung, len(parts["train"]), half) if rung.size in settings.hidden_sizes else []
        found += [teacher._replace(training=FINETUNED) for teacher in full if teacher.inputs in settings.inputs]
        found += with_few_labels(rung, counts, few.finetuning.hidden_sizes, rung.seed)
    return found


def unit(key: Key) -> str:
    """Name of a unit of work."""
    name, split, teacher = key
    return f"{name}-{split}-{teacher.item}-{teacher.inputs}-{teacher.regime}-{teacher.n_labels}"


def fit(
    name: str, split: str, teacher: Teacher, data: Mapping[str, Any], represent: Mapping[str, Any], settings: Weak
) -> Arrays:
    """Predictions (n,) of one finetuned teacher."""
    texts_of, parts = data[name], data[f"{name}-{split}"]
    model, texts = pretrained.model(represent[f"weights-{teacher.item}"]), pretrained.sequences(texts_of)
    stream = streams.generator(teacher.seed, f"molecules/finetuning-{unit((name, split, teacher))}")
    labels = texts_of["labels"]
    try:
        if teacher.regime == FULL:
            rows, recipe = fitting.molecules(parts, teacher.inputs, "teacher").train, _recipe(settings, teacher.size)
            steps = settings.epochs * -(-len(rows) // recipe.batch_size)
            fitted = finetuning.finetune(model, texts, labels, rows, recipe, steps, stream)
        else:
            few = settings.few_labels.finetuning
            labelled = parts["teacher_half"][: teacher.n_labels]
            fitted = finetuning.finetune(model, texts, labels, labelled, _recipe(few, teacher.size), few.steps, stream)
    except FloatingPointError as error:
        cell = f"{{experiment}}, {name}, split {split}, finetuned teacher {teacher.weak} ({teacher.n_labels} labels)"
        raise InputError(f"{cell}: {error}; lower its learning_rate under weak in {{where}}") from None
    return {"predictions": fitted}


def _recipe(settings: Any, size: int) -> finetuning.Recipe:
    return finetuning.Recipe(settings.batch_size, settings.learning_rate / np.sqrt(size), settings.weight_decay)
