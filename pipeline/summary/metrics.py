"""metrics.json: a small, readable summary of cells for `dvc metrics show` and `dvc metrics diff`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from pipeline.summary.statistics import STATISTICS
from pipeline.theory import intervals
from pipeline.theory.intervals import Estimate

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
    return nested(cells, unit, groups, lambda members: _summary(members, confidence, overlap))


def nested(
    cells: pd.DataFrame, unit: str, groups: tuple[str, ...], summary: Callable[[list[pd.DataFrame]], dict[str, Any]]
) -> dict[str, Any]:
    """Summaries of the units' cells of each group, nested by the grouping columns."""
    tree: dict[str, Any] = {}
    for key, group in cells.groupby(list(groups), sort=False):
        branch = tree
        for part in key[:-1]:
            branch = branch.setdefault(str(part), {})
        branch[str(key[-1])] = summary([member for _, member in group.groupby(unit)])
    return tree


def ends(estimate: Estimate) -> dict[str, float | None]:
    """An estimate as metrics.json holds it; one unit alone has no interval, and its ends are null."""
    values = {"mean": estimate.value, "low": estimate.low, "high": estimate.high}
    return {name: float(f"{value:.6g}") if np.isfinite(value) else None for name, value in values.items()}


def _summary(members: list[pd.DataFrame], confidence: float, overlap: float) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for name in SHOWN:
        values = [STATISTICS[name](member) for member in members]
        if name == "correlation":
            estimate = intervals.correlation_over_units(values, confidence)
        else:
            estimate = intervals.over_units(values, confidence, overlap)
        summary[name] = ends(estimate)
    return summary
