"""Intervals, each saying over what it is taken: seeds, splits, or tasks within a seed."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


class Estimate(NamedTuple):
    """Value with the ends of its interval and the number of units it rests on."""

    value: float
    low: float
    high: float
    n: int


def over_units(values: ArrayLike, confidence: float) -> Estimate:
    """Mean over independent units (seeds or splits) with Student's t interval.

    values: shape (n,).  With one unit the interval is the whole line.  Raises ValueError without any unit.
    """
    values = _finite(values)
    if len(values) == 1:
        return Estimate(float(values[0]), -np.inf, np.inf, 1)
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * stats.sem(values)
    mean = float(values.mean())
    return Estimate(mean, float(mean - half), float(mean + half), len(values))


def resampled(values: ArrayLike, ratio: float, confidence: float) -> Estimate:
    """Mean over random splits of one data set, which share molecules and so are no independent units.

    Student's t interval with the variance s^2 (1/J + ratio) of Nadeau and Bengio 2003 for J values, shape (J,); ratio:
    units evaluated on over units trained on, in each split.  More splits cannot make it narrower than sqrt(ratio) s.
    """
    alone = over_units(values, confidence)
    widened = np.sqrt(1 + alone.n * ratio)
    ends = (float(alone.value + (end - alone.value) * widened) for end in (alone.low, alone.high))
    return Estimate(alone.value, *ends, alone.n)


def correlation_over_units(values: ArrayLike, confidence: float) -> Estimate:
    """Mean of correlations over units on Fisher's z scale, where their spread is even; the ends stay within [-1, 1]."""
    z = over_units(np.arctanh(np.clip(_finite(values), -1 + 1e-12, 1 - 1e-12)), confidence)
    return Estimate(*(float(np.tanh(end)) for end in z[:3]), n=z.n)


def bootstrap(
    statistic: Callable[..., float],
    samples: tuple[ArrayLike, ...],
    confidence: float,
    resamples: int,
    generator: np.random.Generator,
) -> Estimate:
    """Percentile bootstrap of a statistic over the rows that the samples share (for example the tasks of one seed).

    samples: arrays of shape (n,), resampled together.  Raises ValueError without any row.
    """
    arrays = tuple(_finite(sample) for sample in samples)
    rows = generator.integers(len(arrays[0]), size=(resamples, len(arrays[0])))
    draws = [statistic(*(array[row] for array in arrays)) for row in rows]
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(statistic(*arrays)), float(low), float(high), len(arrays[0]))


def _finite(values: ArrayLike) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError("an interval needs at least one value, in one dimension")
    if not np.isfinite(array).all():
        raise ValueError("an interval over a value that is not a finite number")
    return array
