"""Estimates as figures and claims state them: a value, the ends of its interval, and the units it rests on."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.core import streams
from pipeline.core.config import Intervals
from pipeline.theory import intervals
from pipeline.theory.intervals import Estimate

DIGITS = 6


def over_units(statistic: str, values: Sequence[float], confidence: float, overlap: float = 0.0) -> Estimate:
    """Mean of a named statistic over seeds or splits: a correlation on Fisher's scale, others by Student's t.

    Rank correlations of a few points reach 1, where Fisher's scale has no value, so theirs is Student's t as well.
    overlap: of units that share rows, see designs.py.
    """
    estimate = intervals.over_units(values, confidence, overlap)
    if estimate.n == 1:
        return estimate
    if statistic == "correlation":
        return intervals.correlation_over_units(values, confidence, overlap)
    return within_range(statistic, estimate)


def over_means(
    statistic: str, cells: pd.DataFrame, column: str, confidence: float, overlap: float = 0.0, unit: str = "seed"
) -> Estimate:
    """The same of a column of cells, of each unit the mean."""
    return over_units(statistic, cells.groupby(unit)[column].mean().to_list(), confidence, overlap)


def within_range(statistic: str, estimate: Estimate) -> Estimate:
    """An interval cut where the statistic cannot be, as a share below 0."""
    least, most = _range(statistic)
    return estimate._replace(low=max(estimate.low, least), high=min(estimate.high, most))


def over_units_and_rows(values: Sequence[float], row_error: float, confidence: float, overlap: float = 0.0) -> Estimate:
    """Mean over units that were measured on the same test rows, for new units and new rows.

    row_error: standard error of that mean by the draw of the rows alone.  Squares of the two half widths (Student's t
    over units, normal over the many rows) add; what units and rows share is counted in both, so the interval is
    somewhat wide (two-way clustering without its third term).  overlap: of units that share rows beside these.
    """
    own = intervals.over_units(values, confidence, overlap)
    if own.n == 1:
        return own
    half = math.hypot(own.high - own.value, row_error * float(stats.norm.ppf((1 + confidence) / 2)))
    return own._replace(low=own.value - half, high=own.value + half)


def over_rows(share: float, rows: int, confidence: float) -> Estimate:
    """Share of hits among independent rows with Wilson's interval."""
    ends = stats.binomtest(round(share * rows), rows).proportion_ci(confidence, method="wilson")
    return Estimate(share, float(ends.low), float(ends.high), rows)


def gain_over_rows(cell: pd.Series, confidence: float) -> Estimate:
    """Student's accuracy less the teacher's on the same rows, with the normal interval of paired differences."""
    value = float(cell["student_accuracy"] - cell["weak_accuracy"])
    half = float(cell["gain_error"] * stats.norm.ppf((1 + confidence) / 2))
    return Estimate(value, value - half, value + half, int(cell["n_eval"]))


def over_units_in_logs(values: Sequence[float], confidence: float, overlap: float = 0.0) -> Estimate:
    """Geometric mean of positive values over units with Student's t interval on the log scale; overlap: as above."""
    estimate = intervals.over_units(np.log(values), confidence, overlap)
    return Estimate(*(float(np.exp(end)) for end in estimate[:3]), n=estimate.n)


def ratio_over_units(
    numerators: Sequence[float], denominators: Sequence[float], confidence: float, overlap: float = 0.0
) -> Estimate:
    """Ratio of two means over units with its linearised Student's t interval (the ratio estimator of survey sampling).

    Unlike a mean of ratios it does not explode when one unit's denominator is close to zero.  overlap: as above.
    """
    return intervals.over_units(linearised(numerators, denominators), confidence, overlap)


def linearised(numerators: Sequence[float], denominators: Sequence[float]) -> np.ndarray:
    """Values whose mean is the ratio of the two means, and whose spread is that of the ratio to first order."""
    above, below = np.asarray(numerators, float), np.asarray(denominators, float)
    ratio = above.mean() / below.mean()
    return ratio + (above - ratio * below) / below.mean()


def over_tasks(statistic: str, cells: pd.DataFrame, name: str, settings: Intervals) -> Estimate:
    """Bootstrap over the tasks of one seed; ``name`` picks the random stream, so that no interval moves another."""
    stream = streams.generator(settings.seed, f"intervals/{name}/{statistic}")
    return intervals.bootstrap(
        _OF_GAIN_AND_MISFIT[statistic],
        (cells["gain"], cells["misfit"]),
        settings.confidence,
        settings.resamples,
        stream,
    )


def plain(value: Any) -> Any:
    """JSON-able copy with six significant digits; what is not finite (an interval over one unit) is null."""
    if isinstance(value, Estimate):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray, pd.Series)):
        return [plain(item) for item in value]
    if isinstance(value, (np.integer, np.bool_)):
        return value.item()
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value


def _range(statistic: str) -> tuple[float, float]:
    if statistic.startswith("share"):
        return 0.0, 1.0
    return (-1.0, 1.0) if statistic.endswith("correlation") else (-math.inf, math.inf)


# Called for every resample, so they are sums of products and nothing else.
def _correlation(gain: np.ndarray, misfit: np.ndarray) -> float:
    ones = np.ones(len(gain))
    total, other = float(gain @ ones), float(misfit @ ones)
    spread = (gain @ gain - total * total / len(gain)) * (misfit @ misfit - other * other / len(gain))
    return float((gain @ misfit - total * other / len(gain)) / math.sqrt(spread)) if spread > 0 else 0.0


def _ratio(gain: np.ndarray, misfit: np.ndarray) -> float:
    ones = np.ones(len(gain))
    return float(gain @ ones) / float(misfit @ ones)


_OF_GAIN_AND_MISFIT = {"correlation": _correlation, "gain_over_misfit": _ratio}
