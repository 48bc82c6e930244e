"""What weak-to-strong generalization came to, a line a pair of teacher and student, over seeds.

Accuracies where the cells hold them (classification, preferences), else mean squared errors as a share of the labels'
variance.  PGR, the performance gap recovered, is a ratio of means over seeds; none where the gap between ceiling and
teacher may be zero.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from pipeline.core.cells import without_controls
from pipeline.summary.estimates import over_units, plain, ratio_over_units
from pipeline.summary.words import written
from pipeline.theory.intervals import Estimate

ROLES = ("weak", "student", "ceiling")
PAIR = ("dataset", "weak", "strong")
# Of an experiment that trains in several ways: the plain one.
PLAIN = {"panel": "main", "labels": "soft", "head": "frozen", "loss": "cross_entropy"}


class Pair(NamedTuple):
    """A teacher and a student's representation on one data set, each role with its interval over seeds."""

    dataset: str
    weak: str
    strong: str
    roles: Mapping[str, Estimate]
    pgr: Estimate | None


def is_classification(cells: pd.DataFrame) -> bool:
    """Whether the cells hold accuracies."""
    return "weak_accuracy" in cells and bool(cells["weak_accuracy"].notna().all())


def measure(cells: pd.DataFrame) -> str:
    """What the columns of the table are."""
    return "accuracy" if is_classification(cells) else "error / Var(labels)"


def pairs(cells: pd.DataFrame, confidence: float, overlap: float) -> list[Pair]:
    """Every pair of the plain students, by student and from the worst teacher to the best.

    None where a seed has several cells of one pair, for then more is varied, or where a cell lacks one of the measures.

    overlap: of the seeds, see designs.py.
    """
    cells = plainly_trained(cells)
    if cells.empty or cells.duplicated([*PAIR, "seed"]).any() or by_role(cells).isna().any(axis=None):
        return []
    found = [
        _pair(own, [str(name) for name in names], confidence, overlap)
        for names, own in cells.groupby(list(PAIR), sort=False)
    ]
    students = list(dict.fromkeys(pair.strong for pair in found))
    sign = 1 if is_classification(cells) else -1
    return sorted(found, key=lambda pair: (pair.dataset, students.index(pair.strong), sign * pair.roles["weak"].value))


def plainly_trained(cells: pd.DataFrame) -> pd.DataFrame:
    """Students of weak teachers, trained in the plain way."""
    cells = without_controls(cells)
    for column, value in PLAIN.items():
        if column in cells and (cells[column] == value).any():
            cells = cells[cells[column] == value]
    return cells


def by_role(cells: pd.DataFrame) -> pd.DataFrame:
    """Columns weak, student, ceiling: the measure of each cell."""
    if is_classification(cells):
        return pd.DataFrame({role: cells[f"{role}_accuracy"] for role in ROLES})
    return pd.DataFrame({role: cells[f"{role}_error"] / cells["truth_variance"] for role in ROLES})


def _pair(cells: pd.DataFrame, names: list[str], confidence: float, overlap: float) -> Pair:
    values, sign = by_role(cells), 1 if is_classification(cells) else -1
    roles = {role: over_units(role, values[role].to_list(), confidence, overlap) for role in ROLES}
    gained, gap = (sign * (values[role] - values["weak"]) for role in ("student", "ceiling"))
    sure = over_units("gap", gap.to_list(), confidence, overlap)
    pgr = ratio_over_units(gained.to_list(), gap.to_list(), confidence, overlap) if sure.low > 0 else None
    return Pair(*names, roles, pgr)


def table(cells: pd.DataFrame, confidence: float, overlap: float) -> str:
    """The pairs as text, with what the columns mean; nothing where there is no such table."""
    found = pairs(cells, confidence, overlap)
    if not found:
        return ""
    seeds = cells["seed"].nunique()
    head = ("data set", "teacher", "student on", *ROLES, "PGR")
    lines = [head, *(_line(pair) for pair in found)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    note = f"{measure(cells)}, mean and {confidence:.0%} interval over {seeds} seeds; PGR – : the gap may be zero"
    return "\n".join([note, *text])


def _line(pair: Pair) -> tuple[str, ...]:
    values: dict[str, Any] = plain({"pgr": pair.pgr, **pair.roles})
    shown = [written(values[role], 3) for role in ROLES]
    return (pair.dataset, pair.weak, pair.strong, *shown, written(values["pgr"]) if pair.pgr else "–")
