"""Measure teacher, student and ceiling on the fixed test rows along training, and where weak validation would stop.

Panel `along`: a row a look, beside the ceiling after as many epochs.  Panel `stopped`: the look at which the
cross-entropy to the teacher's labels of the validation rows is least, beside the ceiling at its end.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.finetuning.labels import as_kind
from pipeline.experiments.finetuning.settings import Settings
from pipeline.experiments.finetuning.strong import own_counts
from pipeline.experiments.preferences.common import recovery
from pipeline.experiments.preferences.common.measured import two_classes
from pipeline.experiments.preferences.settings import Evaluate
from pipeline.measures import classification as measures
from pipeline.summary.classification import by_unit
from pipeline.theory.divergence import floored

KEYS = ("labels", "epoch")
# Seeds draw the rows of teacher and student from the same texts: on SST-2 two share .11 of them, which by
# itself could correlate them as much, .11 / (1 - .11).  Test rows are the same, see ``with_row_errors``.
OVERLAP = {"seed": 0.124}
ESTIMATES = ("language models finetuned in bfloat16",)
EXTRA = (
    "labels",
    *recovery.COLUMNS,
    "gain_row_error",
    "change_row_error",
    "above_chance",
)
ALONG, STOPPED = "along", "stopped"
TRUE = "true"  # kind of the labels of a network that learns from the teacher's own
Array = np.ndarray


class Student(NamedTuple):
    """One student: whose labels, of which kind, and what it and its teacher say of test and validation rows."""

    dataset: str
    seed: int
    weak: str
    labels: str
    control: str
    taught: tuple[Array, Array]  # test (n,), validation (m,)
    found: Arrays  # test (looks, n), validation (looks, m), objective (looks,)
    n_train: int


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every student, and their summary."""
    tables = []
    for dataset in settings.data.datasets:
        members = [one for seed in settings.data.seeds for one in students(settings, dataset, seed, upstream)]
        tables += [measured(one, settings, upstream) for one in members]
    cells = with_row_errors(pd.concat(tables, ignore_index=True))
    cells = measures.ordered(cells, EXTRA)
    last = cells[(cells["panel"] == ALONG) & (cells["epoch"] == settings.strong.epochs[-1]) & (cells["control"] == "")]
    metrics = by_unit(last, "seed", ("dataset", "weak", "labels"), settings.evaluate.confidence)
    report = {"data": upstream["data"]["report"], "represent": upstream["represent"]["report"]}
    return {"cells": cells, "metrics": {"report": report, **metrics}}


def students(settings: Settings, dataset: str, seed: int, upstream: Mapping[str, Any]) -> Iterator[Student]:
    """Students of one seed: of its teachers, then the controls."""
    strong, taught = upstream["strong"], upstream["weak"][f"{dataset}.{seed}"]
    controls, names = settings.weak.controls, list(settings.weak.teachers)
    rows = len(upstream["data"][f"{dataset}.{seed}"]["weak"])

    def item(name: str) -> Arrays:
        found: Arrays = strong[f"{dataset}.{seed}.{name}"]
        return found

    def by(teacher: str) -> tuple[Array, Array]:
        return taught[f"{teacher}/test"], taught[f"{teacher}/validation"]

    for teacher in names:
        for kind in settings.labels.kinds:
            yield Student(dataset, seed, teacher, kind, "", by(teacher), item(f"{teacher}.{kind}"), rows)
    if seed not in controls.seeds:
        return
    for control, weak in (("random", "random"), ("shuffled", names[0])):
        if control in controls.kinds:
            yield Student(dataset, seed, weak, "soft", control, by(control), item(f"{control}.soft"), rows)
    if "teachers_labels" in controls.kinds:
        for teacher in names:
            count = settings.weak.teachers[teacher].labels
            yield Student(dataset, seed, teacher, TRUE, "teachers_labels", by(teacher), item(f"own-{count}"), count)
    if "itself" in controls.kinds:
        own = item(f"own-{max(own_counts(settings, seed))}")
        says = (own["test"][-1], own["validation"][-1])
        yield Student(dataset, seed, settings.strong.model, "soft", "itself", says, item("itself.soft"), rows)


def measured(student: Student, settings: Settings, upstream: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of one student: a row a look, and the one at which weak validation would stop."""
    data, epochs = upstream["data"], np.array(settings.strong.epochs)
    ceiling = upstream["strong"][f"{student.dataset}.{student.seed}.truth"]["test"]
    parts = data[f"{student.dataset}.{student.seed}"]
    labels = data[student.dataset]["label"].to_numpy() > 0.5
    chance = above_chance(student.taught[1], labels[parts["validation"]], settings.evaluate.confidence)
    losses, tables = weak_validation(student), []
    panels = [(ALONG, np.arange(len(epochs)), ceiling)]
    if student.labels != TRUE:  # it has no weak labels on which to stop
        panels.append((STOPPED, np.array([losses.argmin()]), ceiling[-1:]))
    for panel, looks, ceilings in panels:
        columns = _columns(student, looks, ceilings, labels[parts["test"]], settings.evaluate)
        tables.append(
            pd.DataFrame(columns).assign(
                panel=panel,
                epoch=epochs[looks],
                weak_validation=losses[looks],
                weak_objective=student.found["objective"][looks],
            )
        )
    return pd.concat(tables).assign(
        **{name: getattr(student, name) for name in ("dataset", "seed", "weak", "labels", "control", "n_train")},
        strong=settings.strong.model,
        loss=settings.strong.loss,
        lr=settings.strong.learning_rate,
        n_eval=len(parts["test"]),
        above_chance=float(chance),
        head="full",
        inputs="half",
        direction="forward",
        noise=0.0,
        sharpening=1.0,
        task=0,
        **{"class": "network"},
    )


def weak_validation(student: Student) -> Array:
    """Cross-entropy of the student to its teacher's labels of the validation rows, (looks,) nats; NaN without such."""
    if student.labels == TRUE:
        return np.full(len(student.found["validation"]), np.nan)
    target = as_kind(student.taught[1], student.labels)
    said = np.clip(student.found["validation"], 1e-12, 1 - 1e-12)
    found: Array = -(target * np.log(said) + (1 - target) * np.log(1 - said)).mean(axis=1)
    return found


def above_chance(taught: Array, truth: Array, confidence: float) -> bool:
    """Whether a teacher surely beats the more frequent label on the validation rows (exact binomial interval)."""
    hits, most = int(((taught > 0.5) == truth).sum()), max(truth.mean(), 1 - truth.mean())
    return bool(stats.binomtest(hits, len(truth)).proportion_ci(confidence).low > most)


def with_row_errors(cells: pd.DataFrame) -> pd.DataFrame:
    """Standard errors by the luck of the test rows, which all seeds share, of means over the seeds of one kind.

    `gain_row_error`: of student's less teacher's accuracy; `change_row_error`: of student's accuracy less that at the
    last look.  An interval for new texts as well as new seeds adds its square to that of the seeds.
    """
    # Students stopped at different looks are of one group all the same.
    cells = cells.assign(group=cells["epoch"].where(cells["panel"] == ALONG, -1))
    keys = ["dataset", "weak", "labels", "control", "panel", "group"]
    hits = cells.pop("hits")
    for name, own in (("gain_row_error", 0), ("change_row_error", 1)):
        for _, member in cells.groupby(keys):
            mean = np.mean([hits[place][own] for place in member.index], axis=0)
            cells.loc[member.index, name] = mean.std(ddof=1) / np.sqrt(len(mean))
    return cells.drop(columns="group")


def _columns(student: Student, looks: Array, ceilings: Array, truth: Array, settings: Evaluate) -> dict[str, Any]:
    """Measures of some looks, and of each the hits by row: less the teacher's, and less those of the last look."""
    floor, said = settings.floor, student.found["test"]
    taught = np.broadcast_to(student.taught[0], said[looks].shape)
    answer = two_classes(np.broadcast_to(truth, said[looks].shape))
    models = [floored(two_classes(p), floor) for p in (taught, said[looks], ceilings)]
    found: dict[str, Any] = measures.measure(answer, *models, floor, settings.bins)
    found |= measures.directed("forward", floored(answer, floor), models[0], models[1])
    stream = streams.generator(student.seed, f"finetuning/{student.dataset}/bootstrap")
    drawn = recovery.weights(len(truth), settings.resamples, stream)
    hits = [(p > 0.5) == truth for p in (taught, said[looks], ceilings)]
    found |= recovery.recovered(*hits, drawn, settings.confidence).columns()
    end = ((said[-1] > 0.5) == truth).astype(np.float64)
    found["hits"] = [(row - told, row - end) for row, told in zip(hits[1] * 1.0, hits[0] * 1.0, strict=True)]
    return found
