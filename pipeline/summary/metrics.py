"""metrics.json: a small, readable summary of cells for `dvc metrics show` and `dvc metrics diff`."""

from typing import Any

import pandas as pd

from pipeline.summary.statistics import STATISTICS
from pipeline.theory import intervals

SHOWN = (
    "correlation",
    "gain_over_misfit",
    "mean_gain",
    "mean_misfit",
    "share_misfit_above_gain",
    "share_positive_gain",
)


def by_unit(
    cells: pd.DataFrame, unit: str, groups: tuple[str, ...], confidence: float, overlap: float = 0.0
) -> dict[str, Any]:
    """Statistics per unit (`seed` or `split`), then mean and interval over units, nested by the grouping columns.

    overlap: test rows for each training row, where the units are resamples of one set of rows; 0 where they are not.
    """
    tree: dict[str, Any] = {}
    for key, group in cells.groupby(list(groups), sort=False):
        branch = tree
        for part in key[:-1]:
            branch = branch.setdefault(str(part), {})
        branch[str(key[-1])] = _summary([member for _, member in group.groupby(unit)], confidence, overlap)
    return tree


def _summary(members: list[pd.DataFrame], confidence: float, overlap: float) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for name in SHOWN:
        values = [STATISTICS[name](member) for member in members]
        if name == "correlation":
            estimate = intervals.correlation_over_units(values, confidence)
        else:
            estimate = intervals.over_units(values, confidence, overlap)
        summary[name] = {
            "mean": _rounded(estimate.value),
            "low": _rounded(estimate.low),
            "high": _rounded(estimate.high),
        }
    return summary


def _rounded(value: float) -> float | None:
    # One unit alone has no interval: JSON has no infinity, so its ends are null.
    return float(f"{value:.6g}") if abs(value) != float("inf") else None
