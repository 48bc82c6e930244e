"""Intervals, each saying over what it is taken: seeds, splits, or tasks within a seed."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


class Estimate(NamedTuple):
    """Value with the ends of its interval and the number of units it rests on."""

    value: float
    low: float
    high: float
    n: int


def over_units(values: ArrayLike, confidence: float, overlap: float = 0.0) -> Estimate:
    """Mean over units (seeds or splits) with Student's t interval.

    values: shape (n,).  With one unit the interval is the whole line.  Raises ValueError without any unit.
    overlap: test rows over training rows, where the units are resamples of one data set (Nadeau and Bengio 2003: the
    variance of the mean is s^2 (1/n + overlap), and no number of resamples brings it below s^2 overlap); 0 for
    independent units.
    """
    values = _finite(values)
    if len(values) == 1:
        return Estimate(float(values[0]), -np.inf, np.inf, 1)
    half = _quantile(confidence, len(values)) * values.std(ddof=1) * np.sqrt(1 / len(values) + overlap)
    mean = float(values.mean())
    return Estimate(mean, float(mean - half), float(mean + half), len(values))


def prediction(values: ArrayLike, confidence: float) -> Estimate:
    """Mean over units, with an interval in which one further unit lies.

    Between the k-th smallest and the k-th largest, which covers 1 - 2 k / (n + 1) of any continuous distribution, from
    the n on at which k = 1 is enough (39 units at 95 %); with fewer, mean +- t s sqrt(1 + 1/n), which needs a nearly
    normal one.  A further resample of the same data overlaps the others as they overlap each other: no correction.
    """
    values = np.sort(_finite(values))
    mean, rank = float(values.mean()), int((1 - confidence) * (len(values) + 1) / 2 + 1e-9)
    if len(values) == 1:
        return Estimate(mean, -np.inf, np.inf, 1)
    if rank:
        return Estimate(mean, float(values[rank - 1]), float(values[-rank]), len(values))
    half = _quantile(confidence, len(values)) * values.std(ddof=1) * np.sqrt(1 + 1 / len(values))
    return Estimate(mean, float(mean - half), float(mean + half), len(values))


def median_over_units(values: ArrayLike, confidence: float) -> Estimate:
    """Median over independent units, between two order statistics: exact for any continuous distribution.

    At 95 % six units are the fewest with an interval; with fewer it is the whole line.
    """
    values = np.sort(_finite(values))
    # The rank k, counted from either end, is passed by the median with probability P(Binomial(n, 1/2) < k).
    ranks = np.arange(1, len(values) // 2 + 1)
    allowed = ranks[stats.binom.cdf(ranks - 1, len(values), 0.5) <= (1 - confidence) / 2]
    if not len(allowed):
        return Estimate(float(np.median(values)), -np.inf, np.inf, len(values))
    rank = int(allowed[-1])
    return Estimate(float(np.median(values)), float(values[rank - 1]), float(values[-rank]), len(values))


def share_of_units(hits: int, units: int, confidence: float, overlap: float = 0.0) -> Estimate:
    """Share of units that are hits, with the interval of Clopper and Pearson (1934).

    overlap: as in ``over_units``; the units then count for 1 / (1/n + overlap) independent ones.
    """
    if not 0 <= hits <= units or not units:
        raise ValueError(f"{hits} hits among {units} units")
    share, alone = hits / units, 1 / (1 / units + overlap)
    low, high = binomial_ends(share * alone, alone, confidence)
    return Estimate(share, low, high, units)


def binomial_ends(hits: ArrayLike, trials: ArrayLike, confidence: float) -> tuple[Any, Any]:
    """Ends of Clopper and Pearson's interval, as quantiles of beta distributions, so that counts need not be whole."""
    hits, tail = np.asarray(hits, float), (1 - confidence) / 2
    misses = np.asarray(trials, float) - hits
    low = np.where(hits > 0, stats.beta.ppf(tail, np.maximum(hits, 1e-12), misses + 1), 0.0)
    high = np.where(misses > 0, stats.beta.ppf(1 - tail, hits + 1, np.maximum(misses, 1e-12)), 1.0)
    return low[()], high[()]


def correlation_over_units(values: ArrayLike, confidence: float, overlap: float = 0.0) -> Estimate:
    """Mean of correlations over units on Fisher's z scale, where their spread is even; the ends stay within [-1, 1].

    overlap: as in ``over_units``.
    """
    z = over_units(np.arctanh(np.clip(_finite(values), -1 + 1e-12, 1 - 1e-12)), confidence, overlap)
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


def _quantile(confidence: float, units: int) -> float:
    return float(stats.t.ppf((1 + confidence) / 2, units - 1))


def _finite(values: ArrayLike) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError("an interval needs at least one value, in one dimension")
    if not np.isfinite(array).all():
        raise ValueError("an interval over a value that is not a finite number")
    return array
