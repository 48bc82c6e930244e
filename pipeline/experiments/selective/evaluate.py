"""Measure students, the labels they learned from, and what selected these: a row a student.

`label_accuracy` and `share` (of labels that are the strong model's own) are of the student's rows; `self_accuracy`
(and of each prompt alone), `auroc` (of the selector), `coverage` and `risk` (share of test rows above the threshold,
and of wrong own answers among them) of the test rows.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences.common import measured, recovery
from pipeline.experiments.preferences.common import students as frozen
from pipeline.experiments.selective.common import units
from pipeline.experiments.selective.common.plans import COVERAGE, GOLD, MAIN, Student, plan
from pipeline.experiments.selective.common.units import Unit
from pipeline.experiments.selective.labels import most
from pipeline.experiments.selective.settings import Settings
from pipeline.measures import classification as measures
from pipeline.summary.metrics import ends, nested
from pipeline.theory import intervals

KEYS = ("method", "pik", "trained_on", "level")
ESTIMATES = ("language models read in bfloat16",)
# Each split divides the same rows of a text set anew: 600 test rows beside 1,200 of the other parts.
OVERLAP = {"split": 0.5}
OWN = ("method", "pik", "trained_on", "level", "tau")
PROMPTED = {prompt: f"self_{prompt}_accuracy" for prompt in ("zero", "few")}
QUALITY = (
    "share",
    "label_accuracy",
    "weak_label_accuracy",
    "self_accuracy",
    *PROMPTED.values(),
    "auroc",
    "coverage",
    "risk",
)
Array = np.ndarray


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every unit, and accuracies by method."""
    bundles = (upstream["data"], upstream["represent"], upstream["weak"], upstream["strong"])
    tables = [measure(unit, settings, *bundles) for unit in units.units(settings.data).values()]
    cells = measures.ordered(pd.concat(tables, ignore_index=True), (*OWN, *QUALITY, *recovery.COLUMNS))
    cells = cells.round(dict.fromkeys((*QUALITY, *recovery.COLUMNS), 6))
    main, level = cells[cells["panel"] == MAIN], settings.evaluate.confidence
    metrics: dict[str, Any] = {}
    for unit, own in (("split", main[main["split"] != ""]), ("seed", main[main["split"] == ""])):
        groups, shared = ("dataset", "weak", "method", "pik", "trained_on", "control"), OVERLAP.get(unit, 0.0)
        metrics |= nested(own, unit, groups, partial(_accuracy, confidence=level, overlap=shared)) if len(own) else {}
    return {"cells": cells, "metrics": {"report": upstream["represent"]["report"], **metrics}}


def measure(
    unit: Unit,
    settings: Settings,
    data: Mapping[str, Any],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
    strong: Mapping[str, Arrays],
) -> pd.DataFrame:
    """Rows of one unit: its students, and of each teacher the student of P(IK)'s true labels beside it."""
    parts, taught, found = data[unit.name], weak[unit.name], strong[unit.name]
    truth, odds = units.truth(unit, data), units.log_odds(unit, data, represent, settings.labels.prompts)
    students = plan(unit, settings)
    gold = [Student(MAIN, teacher, GOLD) for teacher in units.teachers(unit, settings)]
    predicted = np.concatenate([found["students"], np.repeat(found["gold"][None], len(gold), axis=0)])
    stream = streams.generator(unit.draw, f"selective/{unit.dataset}/bootstrap")
    drawn = recovery.weights(len(parts["test"]), settings.evaluate.resamples, stream)
    scene = measured.Scene(truth[parts["test"]], np.ones(len(parts["test"]), dtype=bool), drawn)
    ceilings = np.stack([found["ceiling"], found["gold"]])
    heads = [frozen.Student(one.panel, "", one.teacher, "hard", 0.0, one.loss, 0.0) for one in (*students, *gold)]
    columns = measured.columns_of(heads, predicted, taught, ceilings, scene, settings.evaluate)
    right = (odds > 0) == truth
    rows = [quality(student, place, found, taught, truth, right, parts) for place, student in enumerate(students)]
    rows += [{"share": 0.0, "label_accuracy": 1.0, "self_accuracy": right[parts["test"]].mean()}] * len(gold)
    return pd.concat([named([*students, *gold]), pd.DataFrame(columns), pd.DataFrame(rows)], axis=1).assign(
        **by_prompt(unit, settings, data, represent),
        dataset=unit.dataset,
        split="" if unit.drawn else str(unit.draw),
        seed=unit.draw if unit.drawn else settings.data.seed,
        n_train=[len(parts["weak"])] * len(students) + [len(parts["truth"])] * len(gold),
        n_eval=len(parts["test"]),
        strong="clusters" if unit.drawn else settings.represent.strong,
        head="linear",
        direction="forward",
        task=0,
    )


def by_prompt(
    unit: Unit, settings: Settings, data: Mapping[str, Any], represent: Mapping[str, Arrays]
) -> dict[str, float]:
    """Accuracy of the strong model's answers to each prompt on test rows; of clusters there is no prompt."""
    asked = [] if unit.drawn else [one for one in settings.labels.prompts if one in represent[unit.rows]]
    truth, test = units.truth(unit, data), data[unit.name]["test"]
    right = {one: (units.log_odds(unit, data, represent, (one,)) > 0) == truth for one in asked}
    return {PROMPTED[one]: float(own[test].mean()) for one, own in right.items()}


def named(students: list[Student]) -> pd.DataFrame:
    """What tells students apart."""
    return pd.DataFrame(
        {
            "panel": [one.panel for one in students],
            "weak": [one.teacher for one in students],
            "loss": [one.loss for one in students],
            "control": [one.control for one in students],
            "method": [one.method for one in students],
            "pik": [one.selector.kind if one.selector else "" for one in students],
            "trained_on": [one.selector.trained_on if one.selector else "" for one in students],
            "level": [one.level for one in students],
        }
    )


def quality(
    student: Student, place: int, found: Arrays, taught: Arrays, truth: Array, right: Array, parts: Arrays
) -> dict[str, float]:
    """How good a student's labels are, and its selector; right: whether the strong model's answers are, (n,)."""
    own, test = truth[parts["weak"]], parts["test"]
    made = {
        "share": found["chosen"][place].mean(),
        "label_accuracy": ((found["targets"][place] > 0.5) == own).mean(),
        "weak_label_accuracy": ((taught[f"{student.teacher}/weak"] > 0.5) == own).mean(),
        "self_accuracy": right[test].mean(),
    }
    if student.selector is None:
        return made
    scores, tau = found[f"scores/{student.selector.name}"][test], found["tau"][place]
    above = most(scores, student.level) if student.panel == COVERAGE else scores > tau
    both = right[test].any() and not right[test].all()
    return made | {
        "tau": np.nan if student.panel == COVERAGE else tau,
        "auroc": roc_auc_score(right[test], scores) if both else np.nan,
        "coverage": above.mean(),
        "risk": 1 - right[test][above].mean() if above.any() else np.nan,
    }


def _accuracy(members: list[pd.DataFrame], confidence: float, overlap: float) -> dict[str, Any]:
    # Of one unit, method and selector there is one row.
    values = [float(member["student_accuracy"].iloc[0]) for member in members]
    return {"student_accuracy": ends(intervals.over_units(values, confidence, overlap))}
