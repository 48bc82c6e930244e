"""Columns of one value a row, and estimates of functions of their means."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .theory import jackknife
from .theory.intervals import Estimate
from .theory.jackknife import Units

Array = NDArray[np.float64]
Measures = dict[str, Estimate]


def over(units: Units, confidence: float) -> Callable[..., Estimate]:
    """`estimated(function, *columns)` over these units: a function of the columns' means, with its interval."""

    def estimated(function: Callable[..., Array], *columns: Array) -> Estimate:
        return jackknife.estimate(function, columns, units, confidence)[0]

    return estimated


def by_row(function: Callable[..., Array], *arrays: Array) -> Array:
    """What a function of samples says of every row as a sample of its own, (n, ...) -> (n,)."""
    return function(*(array[:, None] for array in arrays))


def itself(mean: Array) -> Array:
    """The mean as it is."""
    return mean


def none_below(means: Array) -> Array:
    """At least 0: without a unit that holds all of it, a mean may come out below by rounding."""
    return np.maximum(means, 0)


def within_one(found: Estimate) -> Estimate:
    """An interval of correlations, cut where none can lie."""
    return Estimate(found.value, max(-1.0, found.low), min(1.0, found.high), found.n)
