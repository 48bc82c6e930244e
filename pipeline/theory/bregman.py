"""Gain and misfit under any Bregman divergence (Mulgund and Pabbaraju 2025).

D(a, b) = phi(a) - phi(b) - <grad phi(b), a - b> for a convex generator phi on vectors of k entries.  Predictions have
shape (..., n, k) and results average over n.  For the projection argmin_f E D(f, teacher) on a convex class that holds
the truth, the student being the *first* argument, gain >= misfit: the generalised theorem of Pythagoras.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, xlogy

Array = NDArray[np.float64]


class Generator(NamedTuple):
    """A convex function and its gradient, and the interval in which each entry must lie."""

    value: Callable[[Array], Array]  # (..., k) -> (...)
    slope: Callable[[Array], Array]  # (..., k) -> (..., k)
    low: float = -np.inf
    high: float = np.inf
    touches: bool = False  # whether entries of the first argument may lie on an end, as those of a one-hot truth


class Gain(NamedTuple):
    """What the student saves, how far it is from its teacher, and misfit - gain."""

    gain: Array
    misfit: Array
    cross_term: Array


GENERATORS = {
    "squared": Generator(lambda a: np.sum(np.square(a), axis=-1), lambda a: 2 * a),
    # Negative entropy: D is KL(a || b) for distributions.
    "kl": Generator(lambda a: np.sum(xlogy(a, a) - a, axis=-1), np.log, low=0, touches=True),
    "itakura_saito": Generator(lambda a: -np.sum(np.log(a), axis=-1), lambda a: -1 / a, low=0),
    # Each entry a probability of its own: binary KL, summed.
    "logistic": Generator(
        lambda a: np.sum(xlogy(a, a) + xlogy(1 - a, 1 - a), axis=-1),
        lambda a: np.log(a) - np.log1p(-a),
        low=0,
        high=1,
        touches=True,
    ),
}


def drawn(stream: np.random.Generator, entries: int, terms: int = 6) -> Generator:
    """A random convex generator, not a sum over entries: softplus of random directions over a little of the square."""
    directions, offsets = stream.normal(0, 3, (entries, terms)), stream.normal(0, 1, terms)
    weights = stream.exponential(1, terms)

    def value(a: Array) -> Array:
        return np.logaddexp(0, a @ directions + offsets) @ weights + 0.05 * np.sum(np.square(a), axis=-1)

    def slope(a: Array) -> Array:
        return (weights * expit(a @ directions + offsets)) @ directions.T + 0.1 * a

    return Generator(value, slope)


def by_name(name: str) -> Generator:
    """A generator of the family.  Raises ValueError that lists the known names."""
    if name not in GENERATORS:
        raise ValueError(f"generator '{name}' is not known; choose from {', '.join(GENERATORS)}")
    return GENERATORS[name]


def divergence(generator: Generator, first: ArrayLike, second: ArrayLike) -> Array:
    """E D(first, second), (...).  Raises ValueError on unequal shapes or an entry off the generator's domain."""
    a, b = _within(generator, "first", first), _within(generator, "second", second)
    if a.shape != b.shape:
        raise ValueError(f"first has shape {a.shape} and second {b.shape}; evaluate both on one sample")
    points = generator.value(a) - generator.value(b) - np.sum(generator.slope(b) * (a - b), axis=-1)
    return np.mean(points, axis=-1)


def gain(generator: Generator, truth: ArrayLike, teacher: ArrayLike, student: ArrayLike) -> Gain:
    """D(truth, teacher) - D(truth, student), D(student, teacher), and their difference as a cross term.

    misfit - gain = E <grad phi(student) - grad phi(teacher), student - truth> for any three functions.
    """
    saved = divergence(generator, truth, teacher) - divergence(generator, truth, student)
    truth, teacher, student = (np.asarray(array, dtype=np.float64) for array in (truth, teacher, student))
    turned = generator.slope(student) - generator.slope(teacher)
    cross = np.mean(np.sum(turned * (student - truth), axis=-1), axis=-1)
    return Gain(saved, divergence(generator, student, teacher), cross)


def _within(generator: Generator, name: str, values: ArrayLike) -> Array:
    array = np.asarray(values, dtype=np.float64)
    ends = "[]" if generator.touches and name == "first" else "()"
    above, below = (np.greater_equal, np.less_equal) if ends == "[]" else (np.greater, np.less)
    bad = ~(above(array, generator.low) & below(array, generator.high))
    if bad.any():
        place = np.unravel_index(int(bad.argmax()), bad.shape)
        domain = f"{ends[0]}{generator.low:g}, {generator.high:g}{ends[1]}"
        raise ValueError(
            f"{name}{[int(index) for index in place]} is {array[place]:g}, off the generator's domain {domain}; "
            "put a floor under the predictions"
        )
    return array
