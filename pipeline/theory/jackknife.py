"""Intervals for functions of means over rows that come alone or in groups (prompts, molecules, patients).

Every unit (a row, or a group) is left out in turn; the interval is value +- t s.e. with Student's t for one degree of
freedom less than there are units.  For the mean of single rows that is the ordinary t interval.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from .intervals import Estimate, binomial_ends

Array = NDArray[np.float64]


class Units(NamedTuple):
    """Which unit each row belongs to, numbers 0 .. count - 1, shape (n,); alone: every row is a unit of its own."""

    of_row: NDArray[np.int64]
    count: int  # type: ignore[assignment]  # a tuple has a method of that name, not needed here
    alone: bool


def rows(number: int) -> Units:
    """Every row a unit."""
    return Units(np.arange(number), number, True)


def groups(names: ArrayLike) -> Units:
    """Rows of one name are a unit, shape (n,)."""
    distinct, of_row = np.unique(np.asarray(names), return_inverse=True)
    return Units(of_row, len(distinct), False)


def some(of: NDArray[np.int64] | NDArray[np.bool_], units: Units) -> Units:
    """Units of some rows alone, by their numbers or a mask."""
    kept = units.of_row[of]
    return rows(len(kept)) if units.alone else groups(kept)


def estimate(
    function: Callable[..., Array], columns: tuple[Array, ...], units: Units, confidence: float
) -> tuple[Estimate, Array]:
    """A smooth function of means with its interval, and what each unit says (pseudo-values, whose mean is near it).

    columns: (n, ...), each a value a row; function takes their means, (...), also with an axis of units before.
    """
    value = float(function(*(column.mean(axis=0) for column in columns)))
    without = function(*(_means_without_each(column, units) for column in columns))
    pseudo = units.count * value - (units.count - 1) * without
    half = _quantile(confidence, units.count - 1) * pseudo.std(ddof=1) / np.sqrt(units.count)
    return Estimate(value, float(value - half), float(value + half), units.count), pseudo


def share(hits: NDArray[np.bool_], among: NDArray[np.bool_], units: Units, confidence: float) -> Estimate:
    """Share of some rows that are hits, (n,) each; the interval stays within [0, 1].

    Single rows: Clopper and Pearson.  Groups: the same for as many rows as would be as uncertain if they were alone
    (Korn and Graubard 1998); where all or none are hits, or all are of one group, each group counts once.  NaN where
    there is no such row.
    """
    number = int(among.sum())
    if not number:
        return Estimate(np.nan, 0.0, 1.0, 0)
    value = float((hits & among).sum() / number)
    alone = float(number)
    if not units.alone:
        alone = float(len(np.unique(units.of_row[among])))
        if alone > 1 and 0 < value < 1:
            alone = _as_many_alone(value, hits & among, among, units, confidence)
    low, high = binomial_ends(value * alone, alone, confidence)
    return Estimate(value, float(low), float(high), number)


def difference_of_shares(won: NDArray[np.bool_], lost: NDArray[np.bool_], units: Units, confidence: float) -> Estimate:
    """Share of rows that are won less share that are lost, (n,) each, no row both; as good with few of them, or none.

    The intervals of the two shares, combined as for the difference of two correlated estimates (Zou and Donner 2008).
    """
    everywhere = np.ones_like(won)
    first, second = (share(rows, everywhere, units, confidence) for rows in (won, lost))
    p, q = first.value, second.value
    correlation = -np.sqrt(p * q / ((1 - p) * (1 - q))) if p < 1 and q < 1 else 0.0  # of two classes of a multinomial

    def reach(own: float, other: float) -> float:
        return float(np.sqrt(own**2 + other**2 - 2 * correlation * own * other))

    low, high = reach(p - first.low, second.high - q), reach(first.high - p, q - second.low)
    return Estimate(p - q, max(-1.0, p - q - low), min(1.0, p - q + high), units.count)


def ratio(above: Array, below: Array, units: Units, confidence: float) -> Estimate:
    """Mean of one column over that of another, (n,) each; the whole line where the denominator may be zero."""
    denominator, _ = estimate(lambda b: b, (below,), units, confidence)
    if denominator.low <= 0 <= denominator.high:
        value = float(above.mean() / denominator.value) if denominator.value else np.nan
        return Estimate(value, -np.inf, np.inf, units.count)
    return estimate(lambda a, b: a / b, (above, below), units, confidence)[0]


def binned_error(gaps: Array, units: Units, confidence: float) -> Estimate:
    """Binned calibration error from each row's gap in its bin, (n, bins).

    Chance alone makes it positive: sum over bins of sqrt(2 / pi) times the standard error of the bin's gap, were they
    all zero.  The low end is lowered by that, so that the interval of a calibrated model reaches down to 0.
    """
    found, _ = estimate(lambda means: np.abs(means).sum(axis=-1), (gaps,), units, confidence)
    sums = _sums(gaps, units)
    chance = np.sqrt(2 / np.pi * (sums**2).sum(axis=0)).sum() / len(gaps)
    return Estimate(found.value, max(0.0, found.low - float(chance)), min(1.0, found.high), found.n)


def _as_many_alone(
    value: float, hits: NDArray[np.bool_], among: NDArray[np.bool_], units: Units, confidence: float
) -> float:
    number = float(among.sum())
    columns = (hits.astype(np.float64), among.astype(np.float64))
    found, _ = estimate(lambda a, b: a / b, columns, units, confidence)
    reach = _quantile(confidence, units.count - 1)
    error = (found.high - found.value) / reach
    if not error:
        return number
    alone = value * (1 - value) / error**2
    return float(min(number, alone * (_quantile(confidence, number - 1) / reach) ** 2))


def _means_without_each(column: Array, units: Units) -> Array:
    left = len(column) - np.bincount(units.of_row, minlength=units.count).astype(np.float64)
    return (column.sum(axis=0) - _sums(column, units)) / left.reshape(-1, *[1] * (column.ndim - 1))


def _sums(column: Array, units: Units) -> Array:
    sums = np.zeros((units.count, *column.shape[1:]))
    np.add.at(sums, units.of_row, column)
    return sums


def _quantile(confidence: float, freedom: float) -> float:
    return float(stats.t.ppf((1 + confidence) / 2, freedom))
