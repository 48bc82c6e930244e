"""Fit the teachers on true labels: heads over every frozen rung, teachers that see few labels, and control teachers.

Items: `<dataset>-<split>` with `predictions` (teachers, n) for all molecules of the data set, float32, and
`teachers-<dataset>-<split>`, the table that says what each row is.  Few labels and controls are on random splits only.

Control teachers (`control`), all on the teacher's half: `random`, a head with random weights on a frozen rung;
`other_task`, the head that this rung has for another data set; both brought to the mean and deviation of the labels;
`shuffled`, fitted on shuffled labels; `constant`, the mean of the labels; `itself`, fitted on the strong features.
"""

from collections.abc import Mapping
from itertools import groupby, product
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.config import AdamW
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common import fitting, pretrained, rungs, teachers
from pipeline.experiments.molecules.common.rungs import Rung
from pipeline.experiments.molecules.common.teachers import FEW, FINETUNED, FROZEN, Teacher
from pipeline.experiments.molecules.settings import FewLabels, Settings
from pipeline.models import ridge
from pipeline.models.molecules import finetuning

Asked = tuple[str, Teacher]  # a teacher and the split on which it is wanted


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Teachers of every data set and split."""
    listed = rungs.listed(upstream["represent"]["rungs"])
    _check_sizes(settings, listed)
    wanted = {
        (name, split): teachers_of(listed, split, upstream["data"][f"{name}-{split}"], settings)
        for name, split in product(settings.data.datasets, settings.data.splits.names)
    }
    units = {}
    for name in settings.data.datasets:
        asked = [(split, teacher) for (owner, split), own in wanted.items() if owner == name for teacher in own]
        units |= {f"{name}-{unit}": (name, together) for unit, together in _together(asked).items()}
    bundles = (upstream["data"], upstream["represent"], settings.data.datasets, settings.weak.few_labels)
    fitted = pool.map(fit, {unit: (*units[unit], *bundles) for unit in sorted(units, key=_long_first(units))})
    found = {
        (name, *place): row
        for unit, (name, asked) in units.items()
        for place, row in zip(asked, fitted[unit]["predictions"], strict=True)
    }
    items: dict[str, Any] = {}
    for (name, split), own in wanted.items():
        items[f"{name}-{split}"] = {"predictions": np.stack([found[name, split, teacher] for teacher in own])}
        items[f"teachers-{name}-{split}"] = pd.DataFrame(own, columns=Teacher._fields)
    return items


def teachers_of(listed: list[Rung], split: str, parts: Arrays, settings: Settings) -> list[Teacher]:
    """Teachers of one data set and split; counts of labels that the teacher's half does not have are left out."""
    few, half, splits = settings.weak.few_labels, len(parts["teacher_half"]), settings.data.splits
    found = [teacher for rung in listed for teacher in teachers.with_full_labels(rung, len(parts["train"]), half)]
    if splits.panel(split) != "random":
        return found
    rung = control_rung(listed, settings.weak.control_size)
    found += teachers.controls(rung, listed[-1], half, len(settings.data.datasets))
    if int(split.removeprefix("r")) < few.draws:
        asked = {FROZEN: few.counts, FINETUNED: few.finetuning.counts}
        counts = {training: [count for count in own if count <= half] for training, own in asked.items()}
        for rung in listed:
            found += teachers.with_few_labels(rung, counts, few.finetuning.hidden_sizes, listed[0].seed)
        found += teachers.baselines(counts[FROZEN])
    return found


def control_rung(listed: list[Rung], size: int) -> Rung:
    """The frozen rung on which control teachers stand."""
    return next(rung for rung in listed if (rung.ladder, rung.size, rung.seed) == ("smiles", size, listed[0].seed))


def fit(
    name: str,
    asked: list[Asked],
    data: Mapping[str, Any],
    represent: Mapping[str, Any],
    datasets: tuple[str, ...],
    few: FewLabels,
) -> Arrays:
    """Predictions (teachers, n), float32, of teachers over one representation, for one data set."""
    molecules, item = data[name], asked[0][1].item
    features = None if item == teachers.MEAN.item else represent[item][name]
    predictions = np.empty((len(asked), len(molecules["labels"])), dtype=np.float32)
    for row, (split, teacher) in enumerate(asked):
        kind = f"{teacher.weak} ({teacher.training}, {teacher.n_labels} labels)"
        cell = f"{{experiment}}, {name}, split {split}, teacher {kind}"
        stream = streams.generator(teacher.seed, f"molecules/teacher-{name}-{split}-{'-'.join(map(str, teacher))}")
        parts = data[f"{name}-{split}"]
        try:
            if teacher.control == teachers.OTHER:
                other = datasets[(datasets.index(name) + 1) % len(datasets)]
                predictions[row] = _foreign(teacher, name, other, split, data, represent)
            elif teacher.training == FINETUNED:
                weights = represent[f"weights-{teacher.item}"]
                predictions[row] = _finetuned(teacher, weights, molecules, parts, few, stream)
            else:
                predictions[row] = _frozen(teacher, features, molecules["labels"], parts, few, stream)
        except FloatingPointError as error:
            raise InputError(f"{cell}: {error}; lower its learning_rate under weak in {{where}}") from None
    return {"predictions": predictions}


def _frozen(
    teacher: Teacher,
    features: np.ndarray | None,
    labels: np.ndarray,
    parts: Arrays,
    few: FewLabels,
    stream: np.random.Generator,
) -> np.ndarray:
    own = fitting.molecules(parts, teacher.inputs, "teacher").train
    if teacher.regime == FEW:
        own = own[: teacher.n_labels]
    if features is None:
        return np.full(len(labels), labels[own].mean())
    if teacher.regime == FEW:
        epochs = _in_steps(few, len(own))
        return fitting.fit_adamw_steps(features, labels[None], own, parts["teacher_half"], epochs, stream)[0]
    if teacher.control == teachers.RANDOM:
        return _like(labels, features @ stream.normal(size=features.shape[1]), own)
    if teacher.control == teachers.SHUFFLED:
        labels = labels.copy()
        labels[own] = stream.permutation(labels[own])
    return fitting.fit_ridge(features, labels[None], own).predictions[0]


def _foreign(
    teacher: Teacher, name: str, other: str, split: str, data: Mapping[str, Any], represent: Mapping[str, Any]
) -> np.ndarray:
    """The head that a rung has for another data set, applied to the molecules of this one."""
    features, theirs = represent[teacher.item], data[f"{other}-{split}"]["teacher_half"]
    fitted = ridge.fit(features[other][theirs], data[other]["labels"][None, theirs])
    applied = ridge.predict(features[name], fitted.heads)[0]
    return _like(data[name]["labels"], applied, data[f"{name}-{split}"]["teacher_half"])


def _like(labels: np.ndarray, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Values (n,) brought to the mean and deviation that the labels have on ``rows``."""
    spread = values[rows].std() or 1.0
    return (values - values[rows].mean()) / spread * labels[rows].std() + labels[rows].mean()


def _finetuned(
    teacher: Teacher,
    weights: Arrays,
    molecules: Arrays,
    parts: Arrays,
    few: FewLabels,
    stream: np.random.Generator,
) -> np.ndarray:
    whole, labelled = few.finetuning, parts["teacher_half"][: teacher.n_labels]
    recipe = finetuning.Recipe(whole.batch_size, whole.learning_rate / np.sqrt(teacher.size), whole.weight_decay)
    model, texts = pretrained.model(weights), pretrained.sequences(molecules)
    return finetuning.finetune(model, texts, molecules["labels"], labelled, recipe, whole.steps, stream)


def _in_steps(few: FewLabels, samples: int) -> AdamW:
    """As many epochs as give the number of steps, whatever the number of labels."""
    epochs = -(-few.steps // -(-samples // few.batch_size))
    return AdamW(
        epochs=epochs, batch_size=few.batch_size, learning_rate=few.learning_rate, weight_decay=few.weight_decay
    )


def _together(asked: list[Asked]) -> dict[str, list[Asked]]:
    """Teachers by unit of work: the frozen ones of a representation together, each finetuned split apart."""

    def unit(one: Asked) -> str:
        split, teacher = one
        return f"{teacher.item}-{split}-finetuned" if teacher.training == FINETUNED else teacher.item

    return {name: list(members) for name, members in groupby(sorted(asked, key=unit), key=unit)}


def _long_first(units: Mapping[str, tuple[str, list[Asked]]]) -> Any:
    def cost(unit: str) -> float:
        teacher = units[unit][1][0][1]
        return -teacher.size * (1000.0 if teacher.training == FINETUNED else 1.0)

    return cost


def _check_sizes(settings: Settings, listed: list[Rung]) -> None:
    known = {rung.size for rung in listed if rung.ladder == "smiles"}
    few = "few_labels.finetuning.hidden_sizes holds"
    asked = [(few, size) for size in settings.weak.few_labels.finetuning.hidden_sizes]
    for key, size in [*asked, ("control_size is", settings.weak.control_size)]:
        if size not in known:
            raise InputError(
                f"weak.{key} {size}, which is no rung of represent.ladder.hidden_sizes {sorted(known)}; choose from "
                "these in {where}"
            )
