"""One function, `assess`, and the table that it returns."""

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import classification, inputs, regression
from .inputs import FEWEST, Sample
from .theory import power
from .theory.intervals import Estimate

Array = NDArray[np.float64]
GAINS = {"gain": "Gain", "accuracy_gain": "Gain in accuracy"}  # whose sign is asked
WHERE = "accuracy_gain_where_they_differ"
WIDTH = 81  # of the table
# In the order of the table; "{loss}" is the loss's name.
WORDS = {
    "teacher_error": "teacher: {loss}",
    "student_error": "student: {loss}",
    "ceiling_error": "ceiling: {loss}",
    "gain": "gain: teacher's less student's",
    "misfit": "misfit: student from teacher",
    "misfit_over_variance": "misfit / variance of the teacher's predictions",
    "gain_over_misfit": "gain / misfit",
    "cross_term": "cross term",
    "teacher_accuracy": "teacher: accuracy",
    "student_accuracy": "student: accuracy",
    "ceiling_accuracy": "ceiling: accuracy",
    "accuracy_gain": "gain in accuracy",
    "gap_recovered": "gap recovered: gain / (teacher to ceiling)",
    "disagreement": "disagreement: rows of different classes",
    "least_gain": "gain can be as low as",
    "most_gain": "gain can be as high as",
    "least_accuracy_gain": "gain in accuracy can be as low as",
    "most_accuracy_gain": "gain in accuracy can be as high as",
    "risk_width": "bound on |change of the loss| by KL",
    "calibration_width": "bound on |change of calibration|, of at most 2",
    "epsilon": "epsilon: error of the class's best member",
    "bound": "bound: gain is at least",
    "gain_above_bound": "gain less bound",
    "rho": "rho: cross term / sqrt(epsilon misfit)",
    "off_class": "student off the class",
    "off_projection": "student off the teacher's projection",
    "copied": "wrong labels of the teacher: repeated",
    "corrected": "wrong labels of the teacher: put right",
    "kept": "right labels of the teacher: kept",
    "error_correlation": "correlation of their errors",
    "teacher_ece": "teacher: expected calibration error",
    "student_ece": "student: expected calibration error",
    "ceiling_ece": "ceiling: expected calibration error",
    "teacher_overconfidence": "teacher: confidence less accuracy",
    "student_overconfidence": "student: confidence less accuracy",
    "ceiling_overconfidence": "ceiling: confidence less accuracy",
}


@dataclass(frozen=True)
class Assessment:
    """Measures by name, each with its interval; `str()` is a table of them.

    labels_needed: for a gain whose sign the labels leave open, how many would decide it with 80 % power if the gain is
    what it seems; None where a million would not, or where these labels show too little.
    """

    title: str
    measures: Mapping[str, Estimate]
    loss: str
    notes: tuple[str, ...]
    labels_needed: Mapping[str, int | None] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Estimate:
        if name not in self.measures:
            raise KeyError(f"{name} is not measured here; there are {', '.join(self.measures)}")
        return self.measures[name]

    def __str__(self) -> str:
        head = f"{'':48}{'value':>11}{'low':>11}{'high':>11}"
        lines = [
            f"{WORDS[name].format(loss=self.loss):48}{''.join(f'{_short(end):>11}' for end in self.measures[name][:3])}"
            for name in WORDS
            if name in self.measures
        ]
        notes = [textwrap.fill(note, WIDTH) for note in self.notes]
        return "\n".join([textwrap.fill(self.title, WIDTH), "", head, *lines, "", *notes])


def assess(
    truth: ArrayLike | None,
    teacher: ArrayLike,
    student: ArrayLike,
    ceiling: ArrayLike | None = None,
    *,
    labelled: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    features: ArrayLike | None = None,
    teacher_error: float | None = None,
    label_range: tuple[float, float] | None = None,
    floor: float | None = None,
    bins: int = 15,
    confidence: float = 0.95,
) -> Assessment:
    """How a student compares with the teacher whose labels it was fitted to; docs/API.md says what each measure is.

    Predictions are on rows that neither was fitted to: shape (n,) for regression (squared loss), or probabilities
    (n, classes) for classification (cross-entropy).  ceiling: the student's model fitted to true labels.

    truth: numbers (n,); classes (n,) from 0 on, or probabilities (n, classes); None without labels.
    labelled: row numbers, or a mask (n,), of the rows that truth speaks of, where only some have a label.
    groups: names (n,); rows of one name are left out together for the intervals (prompts, patients, molecules).
    features: (n, d) of the student's class, linear functions and a constant; regression only.
    teacher_error: the teacher's mean squared error or error rate, known from elsewhere; label_range: least and largest
    label in regression.  Both narrow what the gain can be without labels.
    floor: put under all probabilities (gamma of Yao et al.), as (1 - classes * floor) p + floor.
    Raises ValueError, one line that names argument, place and remedy.
    """
    sample = inputs.checked(truth, teacher, student, ceiling, labelled, groups, features, floor, confidence)
    greatest = 1.0 if sample.classes else np.inf
    known = None if teacher_error is None else inputs.number("teacher_error", teacher_error, 0, greatest)
    if sample.classes:
        if label_range is not None:
            raise ValueError("label_range is for regression; classes need none")
        return _classification(sample, known, floor, int(inputs.number("bins", bins, 1, np.inf)))
    return _regression(sample, known, None if label_range is None else inputs.label_range(label_range))


def _regression(sample: Sample, teacher_error: float | None, ends: tuple[float, float] | None) -> Assessment:
    measures, notes = regression.unlabelled(sample, teacher_error, ends), []
    pseudo: dict[str, Array] = {}
    if sample.truth is not None:
        own, pseudo = regression.labelled(sample)
        measures |= own
        if sample.features is not None:
            notes.append(
                "The bound, misfit - 2 sqrt(epsilon misfit), is of the projection of the teacher on a convex class "
                "(Charikar et al., Theorem 2): `off` rows say how far this student is from one."
            )
        elif sample.ceiling is not None:
            notes.append(
                "The bound, misfit - 2 sqrt(epsilon misfit), takes the ceiling's error for epsilon, which is no "
                "larger; it is of the projection of the teacher on a convex class (Charikar et al., Theorem 2)."
            )
    elif "least_gain" not in measures:
        notes.append("Without labels the gain can be anything; label_range or teacher_error would bound it.")
    if "bound" not in measures:
        notes.append(
            "Of the projection of the teacher on a convex class that holds the truth, the gain would be at least the "
            "misfit (Charikar et al., Theorem 1)."
        )
    return _assessment(sample, "mean squared error", measures, notes, pseudo)


def _classification(sample: Sample, teacher_error: float | None, floor: float | None, bins: int) -> Assessment:
    smallest = float(min(sample.teacher.min(), sample.student.min()))
    gamma = min(floor or smallest, (1 - 1e-9) / sample.classes)
    measures = classification.unlabelled(sample, teacher_error, gamma)
    pseudo: dict[str, Array] = {}
    notes = [f"Bounds by KL are of predictions of at least {gamma:.3g} (gamma); a larger floor makes them narrower."]
    if sample.truth is not None:
        own, pseudo = classification.labelled(sample, bins, gamma)
        measures |= own
        if sample.ceiling is not None:
            notes.append(
                "The bound on the gain, misfit - log(1/gamma) sqrt(2 epsilon), takes the ceiling's loss for epsilon, "
                "which is no larger; it is of the reverse-KL projection of the teacher on a convex class (Yao et al.)."
            )
        if not classification.calibrated(sample, bins):
            notes.append(f"Calibration left out: it needs {bins} labelled rows (bins={bins}), of two classes.")
    else:
        notes.append(
            "Of the reverse-KL projection of the teacher on a convex class that holds the truth, the gain would be at "
            "least the misfit (Yao et al.)."
        )
    hard = sample.truth is None or bool((sample.truth.max(axis=1) == 1).all())
    return _assessment(sample, "cross-entropy" if hard else "KL from the truth", measures, notes, pseudo)


def _assessment(
    sample: Sample, loss: str, measures: dict[str, Estimate], notes: list[str], pseudo: dict[str, Array]
) -> Assessment:
    if sample.complete:  # what the gain could have been is of no use any more
        measures = {name: value for name, value in measures.items() if not name.startswith(("least_", "most_"))}
    open_ = {name for name in pseudo if measures[name].low <= 0 <= measures[name].high}
    needed = {name: _labels(sample, pseudo[name]) for name in pseudo if name in open_}
    if "accuracy_gain" in open_ and sample.units.alone:
        needed |= _labels_of_accuracy(sample, measures["disagreement"].value)
    notes += [f"{GAINS[name]}: {_said(measures[name], len(sample.rows), needed.get(name))}" for name in pseudo]
    if WHERE in needed:
        notes.append(
            f"If drawn from the rows on which both differ, {_about(needed[WHERE])}: no others tell of accuracy."
        )
    return Assessment(_title(sample, loss), measures, loss, tuple(notes), needed)


def _labels(sample: Sample, values: Array) -> int | None:
    """Labels with which an interval like this one would exclude 0 with 80 % power; in groups as large as those here."""
    seen = abs(float(values.mean()))
    units = power.for_mean(values.tolist(), seen, 0.0, sample.confidence) if seen else None
    return None if units is None else math.ceil(units * len(sample.rows) / sample.labelled_units.count)


def _labels_of_accuracy(sample: Sample, disagreement: float) -> dict[str, int | None]:
    """The same of rows alone, by a sign test on those won or lost; drawn from all rows, or where both differ."""
    rows = classification.where_they_differ(sample)
    decisive = np.count_nonzero(rows)
    if decisive < FEWEST or not rows.sum():  # the observed share says too little, or that there is no effect
        return {"accuracy_gain": None}
    won = float(np.mean(rows[rows != 0] > 0))
    units = power.for_share(max(won, 1 - won), (0.5, np.inf), 0.0, sample.confidence)
    if units is None:
        return {"accuracy_gain": None, WHERE: None}
    there = math.ceil(units * len(rows) / decisive)
    return {"accuracy_gain": math.ceil(there / disagreement), WHERE: there}


def _said(found: Estimate, labels: int, needed: int | None) -> str:
    if found.low > 0:
        return "above zero, the student is better."
    if found.high < 0:
        return "below zero, the student is worse."
    open_ = f"its sign is left open by {labels} labels"
    if needed is None:
        return f"{open_}, and they show too little to say how many would decide it."
    return f"{open_}; if it is what it seems, {_about(needed)} would decide it."


def _about(labels: int | None) -> str:
    return "more than can be said" if labels is None else f"about {labels}"


def _title(sample: Sample, loss: str) -> str:
    units = "rows" if sample.units.alone else f"{sample.labelled_units.count} groups"
    labels = "no labels" if sample.truth is None else f"{len(sample.rows)} with labels"
    classes = f", {sample.classes} classes" if sample.classes else ""
    return (
        f"{loss[0].upper()}{loss[1:]}{classes}; {len(sample.teacher)} rows, {labels}; "
        f"{sample.confidence * 100:g} % intervals: Student's t over {units}, shares exact binomial"
    )


def _short(value: float) -> str:
    return f"{value:.4g}"
