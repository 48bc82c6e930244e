"""What the figures of the language-model study show, in words."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from statistics import median
from typing import Any

from pipeline.summary.words import number

Numbers = Mapping[str, Any]


def preferences(numbers: Numbers) -> str:
    """By data set: accuracies of the roles, and the student's largest step above its teacher."""
    texts = []
    for dataset, groups in _by_dataset(numbers["groups"]):
        best = max(groups, key=lambda group: group["accuracy_gain"]["value"])
        roles = ", ".join(
            f"{role} {span(group[f'{role}_accuracy']['value'] for group in groups)}"
            for role in ("weak", "student", "ceiling")
        )
        gained = f"the student gains most over {best['weak']}: {number(best['accuracy_gain']['value'])}"
        texts.append(f"{dataset}, {len(groups)} settings: accuracy {roles}; {gained}.")
    return f"{' '.join(texts)} {numbers['reading']}"


def overoptimisation(numbers: Numbers) -> str:
    """By data set: the curve that loses most from its best epoch to its last."""
    texts = []
    for dataset, groups in _by_dataset(numbers["groups"]):
        worst = max(groups, key=_lost)
        values = _accuracies(worst)
        best = values.index(max(values))
        kind = f"{worst['weak']}, {worst['loss'].replace('_', ' ')}, rate {worst['lr']:g}"
        texts.append(
            f"{dataset}, {len(groups)} curves; most is lost by {kind}: {number(values[best])} at "
            f"epoch {worst['epochs'][best]:g}, {number(values[-1])} at epoch {worst['epochs'][-1]:g}."
        )
    return f"Student's accuracy and calibration against epochs on weak labels. {' '.join(texts)} {numbers['reading']}"


def gap_recovered(numbers: Numbers) -> str:
    """By data set: how many pairs have a gap to recover, and the range and median of the share recovered."""
    texts = []
    for dataset, pairs in _by_dataset(numbers["pairs"]):
        shares = [pair["pgr"]["value"] for pair in pairs if pair["pgr"] is not None]
        drawn = f"share recovered {span(shares)}, median {number(median(shares))}" if shares else "none is defined"
        texts.append(f"{dataset}, {len(shares)} of {len(pairs)} pairs: {drawn}.")
    return f"Table of weak against strong models. {' '.join(texts)} {numbers['reading']}"


def losses(numbers: Numbers) -> str:
    """By data set: the losses furthest above and below cross-entropy; accuracy without noise and at the most noise."""
    texts = []
    for dataset, compared in _by_dataset(numbers["compared"]):
        ordered = sorted(compared, key=lambda row: row["difference"]["value"])
        ends = " to ".join(
            f"{row['loss'].replace('_', ' ')} ({row['labels']} labels) {number(row['difference']['value'])}"
            for row in (ordered[0], ordered[-1])
        )
        texts.append(f"{dataset}, {len(compared)} losses, accuracy less that of cross-entropy: from {ends}.")
    for dataset, curves in _by_dataset(numbers["noise"]):
        first, last = (span(curve["student_accuracy"][place]["value"] for curve in curves) for place in (0, -1))
        texts.append(f"{dataset}, {len(curves)} curves: accuracy {first} without noise, {last} with the most.")
    return f"{' '.join(texts)} {numbers['reading']}"


def _by_dataset(rows: list[Numbers]) -> Iterator[tuple[str, list[Numbers]]]:
    ordered = sorted(rows, key=lambda row: row["dataset"])
    for dataset, member in groupby(ordered, key=lambda row: row["dataset"]):
        yield dataset, list(member)


def _accuracies(group: Numbers) -> list[float]:
    return [estimate["value"] for estimate in group["student_accuracy"]]


def _lost(group: Numbers) -> float:
    values = _accuracies(group)
    return max(values) - values[-1]


def span(values: Iterable[float]) -> str:
    """Smallest and largest of some values."""
    values = list(values)
    return f"{number(min(values))} to {number(max(values))}"


LANGUAGE: dict[str, Callable[[Numbers], str]] = {
    "yao_preferences": preferences,
    "yao_preferences_overoptimisation": overoptimisation,
    "burns_pgr": gap_recovered,
    "losses_noise": losses,
}
