"""An experiment at a glance: a row a kind of student, and the few numbers that `dvc exp show` and `dvc plots` take."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.core import cells
from pipeline.summary.statistics import STATISTICS
from pipeline.theory import intervals
from pipeline.theory.intervals import Estimate

UNITS = ("split", "seed")  # over which intervals are taken; tasks are within them
PLACES = ("dataset", "panel")  # of which each has headlines of its own
PLAIN = {"noise": 0.0, "sharpening": 1.0, "tempered": False}  # labels as the teacher gave them, heads as fitted
HEADLINES = ("gain", "gain_over_misfit")
SHOWN = ("weak_error", "student_error", "ceiling_error", "gain", "misfit", "gain_over_misfit", "gap_recovered")


class Row(NamedTuple):
    """One kind of student: its names, the unit over which its means are taken, and its estimates by name."""

    names: tuple[str, ...]
    unit: str
    estimates: dict[str, Estimate]


def kinds(table: pd.DataFrame, own: Iterable[str]) -> tuple[list[str], pd.DataFrame]:
    """Columns that tell kinds of students apart, own ones of the experiment among them, and the cells of plain ones.

    Plain: of a weak teacher, on its labels as they are, at the last epoch where a data set or panel has several.
    """
    plain = cells.without_controls(table)
    for column, value in PLAIN.items():
        if column in plain:
            plain = plain[plain[column].isna() | (plain[column] == value)]
    if "epoch" in plain:
        places = [plain[name] for name in PLACES if name in plain]
        last = plain.groupby(places, dropna=False)["epoch"].transform("max") if places else plain["epoch"].max()
        plain = plain[plain["epoch"].isna() | (plain["epoch"] == last)]
    names = [name for name in (*cells.KEYS, *own) if name in plain and name not in (*UNITS, "task", "epoch", *PLAIN)]
    return [name for name in dict.fromkeys(names) if plain[name].nunique(dropna=False) > 1], plain


def table(
    cells_: pd.DataFrame, own: Iterable[str], confidence: float, overlap: dict[str, float]
) -> tuple[list[str], list[Row]]:
    """Names of the kinds' columns, and of each kind its names, its unit and its estimates over units.

    A gap is recovered only where the ceiling beats the teacher.  overlap: by unit, as `intervals.over_units` has it.
    """
    columns, plain = kinds(cells_, own)
    grouped = plain.groupby(columns, dropna=False, sort=False) if columns else [((), plain)]
    rows = []
    for names, group in grouped:
        unit = _unit(group)
        members = [member for _, member in group.groupby(unit, dropna=False)]
        values = {name: [_value(name, member) for member in members] for name in SHOWN}
        estimates = {
            name: intervals.over_units(found, confidence, overlap.get(unit, 0.0))
            for name, found in values.items()
            if np.isfinite(found).all()
        }
        if {"weak_error", "ceiling_error"} <= set(estimates) and (
            estimates["ceiling_error"].value >= estimates["weak_error"].value
        ):
            estimates.pop("gap_recovered", None)
        rows.append(Row(tuple("" if pd.isna(part) else f"{part}" for part in names), unit, estimates))
    return columns, rows


def written(columns: list[str], rows: list[Row]) -> str:
    """The table as text: mean over units and its interval."""
    shown = [name for name in SHOWN if any(name in row.estimates for row in rows)]
    lines = [
        {column: part for column, part in zip(columns, row.names, strict=True)}
        | {"units": f"{next(iter(row.estimates.values())).n} {row.unit}s" if row.estimates else ""}
        | {name: _interval(row.estimates[name]) if name in row.estimates else "" for name in shown}
        for row in rows
    ]
    return pd.DataFrame(lines).to_string(index=False)


def headlines(table: pd.DataFrame, own: Iterable[str], name: str) -> dict[str, dict[str, float]]:
    """Gain, and gain over misfit, of the first kind of student of every data set or panel, each a mean over units.

    First comes one without a training curve, and measured in B's direction, where there are such.
    """
    columns, plain = kinds(table, own)
    place = next((column for column in PLACES if column in columns), None)
    told = {}
    for value, group in plain.groupby(place, sort=False) if place else [(name, plain)]:
        if "epoch" in group and group["epoch"].isna().any():
            group = group[group["epoch"].isna()]
        if "direction" in group and (group["direction"] == "reverse").any():
            group = group[group["direction"] == "reverse"]
        _, first = next(iter(group.groupby(columns, dropna=False, sort=False))) if columns else (None, group)
        units = [member for _, member in first.groupby(_unit(first), dropna=False)]
        told[str(value)] = {
            column: float(f"{np.mean([_value(column, member) for member in units]):.6g}") for column in HEADLINES
        }
    return told


def points(table: pd.DataFrame, own: Iterable[str]) -> pd.DataFrame:
    """Mean gain and misfit of every kind of student: few enough rows for a picture of each revision."""
    columns, plain = kinds(table, own)
    if not columns:
        return plain[["gain", "misfit"]].mean().to_frame().T
    return plain.groupby(columns, dropna=False, sort=False)[["gain", "misfit"]].mean().round(6).reset_index()


def _unit(plain: pd.DataFrame) -> str:
    return next((name for name in UNITS if plain[name].nunique() > 1), "seed")


def _value(name: str, member: pd.DataFrame) -> float:
    return STATISTICS[name](member) if name in STATISTICS else float(member[name].mean())


def _interval(estimate: Estimate) -> str:
    if not np.isfinite(estimate.low):
        return f"{estimate.value:.3g}"
    return f"{estimate.value:.3g} [{estimate.low:.3g}, {estimate.high:.3g}]"
