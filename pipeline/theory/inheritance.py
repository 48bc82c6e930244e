"""What a student takes over from its teacher: wrong labels that it repeats, errors that are correlated.

Predictions of classes have shape (..., n, k), errors (..., n); results are taken over the n points, shape (...).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Where = NDArray[np.bool_]


def inheritance(truth: Array, teacher: Array, student: Array) -> dict[str, Array]:
    """Shares of points, and the correlation of the two indicators of a wrong label, (...).

    `copied`: of the teacher's wrong labels, those that the student repeats; `corrected`: those that it puts right;
    `kept`: of the right ones, those that it keeps.  NaN where there is no such point.
    """
    answer, told, given = (model.argmax(axis=-1) for model in (truth, teacher, student))
    wrong, fails = told != answer, given != answer
    shares = (np.mean(part, axis=-1) for part in (wrong, fails, wrong & fails))
    return {
        "copied": _share(given == told, wrong),
        "corrected": _share(~fails, wrong),
        "kept": _share(~fails, ~wrong),
        "error_correlation": phi(*shares),
    }


def phi(first: Array, second: Array, both: Array) -> Array:
    """Correlation of two indicators, from how often the first, the second and both are true; NaN where one is fixed."""
    means = (first, second)
    spread = np.sqrt(np.prod([mean * (1 - mean) for mean in means], axis=0))
    shared = both - means[0] * means[1]
    return np.divide(shared, spread, out=np.full_like(shared, np.nan), where=spread > 0)


def agreement(first: Array, second: Array) -> Array:
    """Share of points whose most probable classes are the same."""
    return np.mean(first.argmax(axis=-1) == second.argmax(axis=-1), axis=-1)


def error_correlation(first: Array, second: Array) -> Array:
    """Correlation of two residuals (..., n) as they stand (their mean is an error too): 1 where all is inherited."""
    return from_moments(np.mean(first * second, axis=-1), np.mean(first**2, axis=-1), np.mean(second**2, axis=-1))


def from_moments(product: Array, first: Array, second: Array) -> Array:
    """The same from the mean product and the mean squares; NaN where a residual is zero everywhere."""
    norms = first * second
    return np.divide(product, np.sqrt(norms), out=np.full_like(product, np.nan), where=norms > 0)


def _share(hits: Where, among: Where) -> Array:
    count = np.sum(among, axis=-1)
    found = np.sum(hits & among, axis=-1).astype(np.float64)
    return np.divide(found, count, out=np.full_like(found, np.nan), where=count > 0)
