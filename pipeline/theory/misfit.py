"""Gain, misfit and the identity between them for squared loss (Charikar, Pabbaraju, Shiragur 2024; "A" below).

Every function takes predictions on one evaluation sample, shape (..., n), and averages over the last axis; units are
those of the label, squared.  Raises ValueError on unequal shapes, an empty sample or a value that is not finite.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def error(truth: ArrayLike, prediction: ArrayLike) -> Array:
    """Mean squared error d(prediction, truth); the weak, student and ceiling errors of A are this."""
    truth, prediction = _same_sample(truth, prediction)
    return _mean_square(prediction - truth)


def misfit(teacher: ArrayLike, student: ArrayLike) -> Array:
    """How far the student stays from its teacher's labels, d(student, teacher) (A, Theorem 1)."""
    teacher, student = _same_sample(teacher, student)
    return _mean_square(student - teacher)


def gain(truth: ArrayLike, teacher: ArrayLike, student: ArrayLike) -> Array:
    """Error that the student saves over its teacher, d(teacher, truth) - d(student, truth) (A, Theorem 1)."""
    truth, teacher, student = _same_sample(truth, teacher, student)
    return _mean_square(teacher - truth) - _mean_square(student - truth)


def cross_term(truth: ArrayLike, teacher: ArrayLike, student: ArrayLike) -> Array:
    """E[(student - teacher)(student - truth)].

    For any three functions misfit - gain = 2 * cross_term, so A's Theorem 1 is the statement that this is at most zero
    for the projection of the teacher on a convex class that holds the truth.
    """
    truth, teacher, student = _same_sample(truth, teacher, student)
    return np.mean((student - teacher) * (student - truth), axis=-1)


def rho(cross: ArrayLike, epsilon: ArrayLike, misfit: ArrayLike) -> Array:
    """Correlation of the unreachable parts of teacher and truth, cross_term / sqrt(epsilon * misfit).

    For projections on a linear class it lies in [-1, 1] and gain / misfit = 1 - 2 rho sqrt(epsilon / misfit).
    NaN where epsilon or misfit is zero: then nothing is unreachable.
    """
    scale = np.sqrt(np.asarray(epsilon, float) * np.asarray(misfit, float))
    return np.divide(cross, scale, out=np.full(np.shape(scale), np.nan), where=scale > 0)


def _mean_square(difference: Array) -> Array:
    return np.mean(np.square(difference), axis=-1)


def _same_sample(*predictions: ArrayLike) -> tuple[Array, ...]:
    arrays = tuple(np.asarray(prediction, dtype=np.float64) for prediction in predictions)
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1:
        raise ValueError(f"predictions are on different samples: shapes {sorted(shapes)}")
    if not arrays[0].ndim or not arrays[0].shape[-1]:
        raise ValueError("predictions are empty: at least one evaluation point is needed")
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError("a prediction is not a finite number")
    return arrays
