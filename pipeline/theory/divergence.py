"""Divergences between predicted distributions (Yao et al. 2025, "B"): one registry for losses and measures.

Predictions have shape (..., n, k): n points, k classes, each row a distribution; results average over n, shape (...).
`first` is what a loss takes as its target (truth or teacher), `second` the prediction.  Units are nats.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import rel_entr, xlogy

Array = NDArray[np.float64]
SUM_TOLERANCE = 1e-5  # what float32 softmax leaves


class Divergence(NamedTuple):
    """A divergence point by point, and its first two derivatives by each entry of the second distribution."""

    value: Callable[[Array, Array], Array]  # (..., k), (..., k) -> (...)
    slope: Callable[[Array, Array], Array]  # (..., k), (..., k) -> (..., k)
    curvature: Callable[[Array, Array], Array]  # as slope; never negative: all are convex in the second distribution


def mean(name: str, first: ArrayLike, second: ArrayLike) -> Array:
    """E d(first, second) over the n points; infinite where the supports forbid it (see `floored`).

    Raises ValueError on an unknown name, unequal shapes or rows that are not distributions.
    """
    first, second = same_points(first=first, second=second)
    return np.mean(by_name(name).value(first, second), axis=-1)


def by_name(name: str) -> Divergence:
    """Divergence of the registry.  Raises ValueError that lists the known names."""
    if name not in DIVERGENCES:
        raise ValueError(f"divergence '{name}' is not known; choose from {', '.join(DIVERGENCES)}")
    return DIVERGENCES[name]


def floored(distributions: ArrayLike, gamma: float) -> Array:
    """Mixed with the uniform distribution so that every entry is at least gamma: (1 - k gamma) p + gamma.

    B assumes such a floor.  The map is affine: a convex class stays convex, and a truth within it stays within.
    """
    distributions = checked("distributions", distributions)
    classes = distributions.shape[-1]
    check_floor(gamma, classes)
    return (1 - classes * gamma) * distributions + gamma


def check_floor(gamma: float, classes: int) -> None:
    """Raises ValueError unless 0 < gamma < 1 / k."""
    if not 0 < gamma < 1 / classes:
        raise ValueError(
            f"gamma is {gamma}; a floor for {classes} classes lies between 0 and 1/{classes}, both excluded"
        )


def same_points(**predictions: ArrayLike) -> tuple[Array, ...]:
    """Predictions as checked arrays of one shape."""
    arrays = tuple(checked(name, array) for name, array in predictions.items())
    shapes = {name: array.shape for name, array in zip(predictions, arrays, strict=True)}
    if len(set(shapes.values())) != 1:
        raise ValueError(f"predictions are on different points or classes: {shapes}; evaluate all on one sample")
    return arrays


def checked(name: str, distributions: ArrayLike) -> Array:
    """Float64 array of rows that are distributions.  Raises ValueError naming the row, its fault and the remedy."""
    array = np.asarray(distributions, dtype=np.float64)
    if array.ndim < 2 or array.shape[-1] < 2 or not array.size:
        raise ValueError(f"{name} has shape {array.shape}; expected (..., n, k) with n >= 1 points and k >= 2 classes")
    if array.min() >= 0 and (np.abs(_sum(array) - 1) <= SUM_TOLERANCE).all():  # false for NaN as well
        return array
    _refuse(name, array, ~np.isfinite(array).all(axis=-1), "holds a value that is not a finite number")
    _refuse(name, array, (array < 0).any(axis=-1), "holds a negative probability")
    _refuse(name, array, np.abs(array.sum(axis=-1) - 1) > SUM_TOLERANCE, "does not sum to 1")
    return array


def _refuse(name: str, array: Array, bad: NDArray[np.bool_], fault: str) -> None:
    if bad.any():
        place = np.unravel_index(int(bad.argmax()), bad.shape)
        row = ", ".join(f"{value:g}" for value in array[place])
        where = ", ".join(str(index) for index in place)
        raise ValueError(f"{name}[{where}] = ({row}) {fault}; give rows of probabilities, for example a softmax")


def _sum(terms: Array) -> Array:
    # A product with ones: numpy's own sum is many times slower along an axis of a few classes.
    return terms @ np.ones(terms.shape[-1])


def _jensen_shannon(first: Array, second: Array) -> Array:
    middle = (first + second) / 2
    return _sum(rel_entr(first, middle) + rel_entr(second, middle)) / 2


def _chi_square(first: Array, second: Array) -> Array:
    squares = np.square(first - second)
    return _sum(np.divide(squares, second, out=np.where(squares > 0, np.inf, 0.0), where=second > 0))


DIVERGENCES: dict[str, Divergence] = {
    # KL(first || second): ordinary distillation, B's d_P.
    "forward_kl": Divergence(
        value=lambda p, q: _sum(rel_entr(p, q)),
        slope=lambda p, q: -p / q,
        curvature=lambda p, q: p / q**2,
    ),
    # KL(second || first): the loss of which B's gain theorem speaks (student first).
    "reverse_kl": Divergence(
        value=lambda p, q: _sum(rel_entr(q, p)),
        slope=lambda p, q: np.log(q / p) + 1,
        curvature=lambda p, q: 1 / q,
    ),
    # -E first log second = forward_kl + the entropy of first.
    "cross_entropy": Divergence(
        value=lambda p, q: -_sum(xlogy(p, q)),
        slope=lambda p, q: -p / q,
        curvature=lambda p, q: p / q**2,
    ),
    # Mean KL of both from their midpoint; at most log 2.
    "jensen_shannon": Divergence(
        value=_jensen_shannon,
        slope=lambda p, q: np.log(2 * q / (p + q)) / 2,
        curvature=lambda p, q: p / (2 * q * (p + q)),
    ),
    # KL in both directions, summed.
    "jeffreys": Divergence(
        value=lambda p, q: _sum(rel_entr(p, q) + rel_entr(q, p)),
        slope=lambda p, q: np.log(q / p) + 1 - p / q,
        curvature=lambda p, q: 1 / q + p / q**2,
    ),
    # Half the squared distance of the roots, 1 - sum sqrt(p q); at most 1.
    "squared_hellinger": Divergence(
        value=lambda p, q: _sum(np.square(np.sqrt(p) - np.sqrt(q))) / 2,
        slope=lambda p, q: (1 - np.sqrt(p / q)) / 2,
        curvature=lambda p, q: np.sqrt(p / q) / (4 * q),
    ),
    # Pearson's: sum (p - q)^2 / q.
    "chi_square": Divergence(
        value=_chi_square,
        slope=lambda p, q: 1 - np.square(p / q),
        curvature=lambda p, q: 2 * p**2 / q**3,
    ),
    # Half the absolute distance; at most 1.  The slope is a subgradient.
    "total_variation": Divergence(
        value=lambda p, q: _sum(np.abs(p - q)) / 2,
        slope=lambda p, q: np.sign(q - p) / 2,
        curvature=lambda p, q: np.zeros_like(q),
    ),
}
