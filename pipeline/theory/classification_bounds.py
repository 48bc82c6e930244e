"""Bounds and identities for classification (Yao et al. 2025, "B").

B-1 bounds the change of risk by the disagreement, B-2 is its finite-sample form, B-3 is on calibration, B-4 the gain
of a KL projection on a class that holds the truth, B-5 on one that does not.

Predictions have shape (..., n, k); results average over n.  KL(f, g) = E sum_i f_i log(f_i / g_i), in nats.
What holds for which class of students and in which direction:

    student                              reverse: gain >= misfit        forward (dual): gain = misfit
    reverse-KL projection, convex class  yes, if the class holds truth  no
    forward CE, softmax-linear class     no guarantee                   yes, if the class holds the truth
    reverse KL, softmax-linear class     no guarantee                   no
    forward CE, convex class             gain >= 0 only                 no
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .divergence import check_floor, mean, same_points

Array = NDArray[np.float64]
DIRECTIONS = ("reverse", "forward")


class Gain(NamedTuple):
    """What the student saves, how far it is from its teacher, and misfit - gain."""

    gain: Array
    misfit: Array
    cross_term: Array


def gain(direction: str, truth: ArrayLike, teacher: ArrayLike, student: ArrayLike) -> Gain:
    """Gain, misfit and cross term of any student; misfit - gain = cross_term is an identity (B-4).

    reverse: gain = KL(truth, teacher) - KL(truth, student), misfit = KL(student, teacher),
        cross term = E sum_i (student_i - truth_i) log(student_i / teacher_i); B's theorem says that it is <= 0.
    forward: gain = KL(teacher, truth) - KL(student, truth), misfit = KL(teacher, student),
        cross term = E sum_i (student_i - teacher_i) log(student_i / truth_i); 0 for realizable softmax regression.
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"direction is '{direction}'; choose from {', '.join(DIRECTIONS)}")
    truth, teacher, student = same_points(truth=truth, teacher=teacher, student=student)
    if direction == "reverse":
        saved = mean("forward_kl", truth, teacher) - mean("forward_kl", truth, student)
        return Gain(saved, mean("forward_kl", student, teacher), _cross(student - truth, student, teacher))
    saved = mean("forward_kl", teacher, truth) - mean("forward_kl", student, truth)
    return Gain(saved, mean("forward_kl", teacher, student), _cross(student - teacher, student, truth))


def lipschitz_constant(gamma: float, classes: int) -> float:
    """C of B-1 for KL and CE risks: sqrt(2) / gamma, from |log a - log b| <= |a - b| / gamma and Pinsker."""
    check_floor(gamma, classes)
    return float(np.sqrt(2) / gamma)


def reversed_constant(gamma: float, classes: int) -> float:
    """C for the reversed risk KL(., truth): sqrt(2) log(1 / gamma), by the mean value theorem and Pinsker."""
    check_floor(gamma, classes)
    return float(np.sqrt(2) * np.log(1 / gamma))


def sharp_constant(gamma: float, classes: int) -> float:
    """The least C for which B-1 holds for every truth: sqrt(2 (1 - gamma) / gamma), far below sqrt(2) / gamma.

    It is the supremum of |log a - log b| / sqrt(kl(a, b)) over two classes (merging the others loses nothing where they
    are proportional, and a truth may sit on one class), approached as a, b -> gamma.  Found by search, see the tests.
    """
    check_floor(gamma, classes)
    return float(np.sqrt(2 * (1 - gamma) / gamma))


def sharp_constant_floored_truth(gamma: float) -> float:
    """The same for two classes whose truth is floored by gamma as well: (1 - 2 gamma) sqrt(2 / (gamma (1 - gamma)))."""
    check_floor(gamma, 2)
    return float((1 - 2 * gamma) * np.sqrt(2 / (gamma * (1 - gamma))))


def generalization_bound(disagreement: ArrayLike, constant: float) -> Array:
    """Right side of B-1: |KL(truth, student) - KL(truth, teacher)| <= C sqrt(KL(teacher, student))."""
    return constant * np.sqrt(_non_negative("disagreement", disagreement))


def tightness(difference: ArrayLike, bound: ArrayLike) -> Array:
    """Share of a bound that is used, |difference| / bound; NaN where the bound is zero."""
    difference, bound = np.asarray(difference, np.float64), _non_negative("bound", bound)
    return np.divide(np.abs(difference), bound, out=np.full(np.shape(bound), np.nan), where=bound > 0)


def finite_sample_term(
    complexity: ArrayLike, samples: int, delta: float, gamma: float, classes: int, constant: float
) -> Array:
    """What B-2 adds to B-1, with probability 1 - delta, when the disagreement is that on the n training points.

    C [ sqrt(2) (c / n)^(1/4) + sqrt(log(1 / gamma)) (log(1 / delta) / (2 n))^(1/4) ], where sqrt(c / n) bounds the
    Rademacher complexity of the losses: uniform convergence of a loss within [0, log(1 / gamma)], then
    sqrt(a + b + c) <= sqrt(a) + sqrt(b) + sqrt(c).
    """
    check_floor(gamma, classes)
    if samples < 1 or not 0 < delta < 1:
        raise ValueError(f"samples is {samples} and delta {delta}; expected at least 1 and a number between 0 and 1")
    spread = (_non_negative("complexity", complexity) / samples) ** 0.25
    chance = (np.log(1 / delta) / (2 * samples)) ** 0.25
    return constant * (np.sqrt(2) * spread + np.sqrt(np.log(1 / gamma)) * chance)


def mixture_complexity(experts: int, classes: int, gamma: float) -> float:
    """c of `finite_sample_term` for mixtures of fixed floored experts: 4 k^2 log(experts) / gamma^2.

    Massart's lemma for each class's convex hull, Maurer's vector contraction for a loss with slopes up to 1 / gamma.
    """
    check_floor(gamma, classes)
    return float(4 * classes**2 * np.log(experts) / gamma**2)


def softmax_complexity(weight_norm: ArrayLike, feature_norm: ArrayLike, classes: int) -> Array:
    """c for softmax-linear heads with cross-entropy: (2 k W B)^2.

    W bounds the norm of a class's weights, bias included, of every head allowed, before one is fitted: with the norm of
    a fitted head it is no uniform bound.  B^2 is the mean squared norm of the features with the constant.  Maurer's
    contraction again: the loss has slope at most sqrt(2) in the logits.
    """
    norms = _non_negative("weight_norm", weight_norm) * _non_negative("feature_norm", feature_norm)
    return np.square(2 * classes * norms)


def kl_gain_lower_bound(misfit: ArrayLike, epsilon: ArrayLike, gamma: float, classes: int) -> Array:
    """gain >= misfit - log(1 / gamma) sqrt(2 epsilon), B-5 at the population optimum with an explicit constant.

    For the reverse-KL projection on a convex class whose best member G has KL(truth, G) = epsilon: optimality bounds
    the cross term by E sum_i (G_i - truth_i) log(student_i / teacher_i); then Pinsker.
    """
    check_floor(gamma, classes)
    allowance = np.log(1 / gamma) * np.sqrt(2 * _non_negative("epsilon", epsilon))
    return _non_negative("misfit", misfit) - allowance


def calibration_width(disagreement: ArrayLike) -> Array:
    """2 sqrt(1 - exp(-KL(teacher, student))), the width of B-3 (Bretagnolle-Huber bounds 2 TV).

    As recalled it bounds the change of the calibration error conditional on each model's own output, which
    `calibration.counterexample` refutes.  It does bound the change of E sum_i |F_i - E[Y_i | X]|, and of the
    calibration error over any partition of the inputs that both models share.
    """
    return 2 * np.sqrt(-np.expm1(-_non_negative("disagreement", disagreement)))


def _cross(weights: Array, first: Array, second: Array) -> Array:
    logarithm = np.log(first) - np.log(second)
    return np.mean(np.sum(weights * logarithm, axis=-1), axis=-1)


def _non_negative(name: str, values: ArrayLike) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if (array < -1e-12).any():
        raise ValueError(f"{name} is {array.min():g}; it cannot be negative")
    return np.maximum(array, 0)
