"""Weak labels refined in context (Somerstep et al. 2024): posterior over concepts, risk, decay rate, naive floor.

The source mixes K orthonormal concepts b_k over features x ~ N(0, I): y | x, k ~ N(b_k x, deviation^2), all k alike.
The target is b_1.  The teacher labels y' = b'x + noise * N(0, 1), with b' = cos(angle) b_1 + sin(angle) u, where u is a
unit vector orthogonal to all concepts.  A refined label is the source's mean answer to x after n weak pairs.
Excess risk is E(b_1 x - prediction)^2.  What is derived stands in docs/THEORY.md.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, softmax

Array = NDArray[np.float64]


class Teacher(NamedTuple):
    """Angle to the target in degrees, the noise of weak labels, and the one that the source assumes (deviations)."""

    angle: float
    noise: float
    deviation: float

    @property
    def cosine(self) -> float:
        """Share of the target in the teacher's concept; exactly 0 at a right angle."""
        return float(np.cos(np.radians(self.angle))) if self.angle != 90 else 0.0


class Moments(NamedTuple):
    """Of the posterior, by number of weak pairs: mean mass on wrong concepts, mean squared distance to the target."""

    wrong: Array
    squared: Array


def weak_concept(concepts: ArrayLike, off: ArrayLike, angle: float) -> Array:
    """The teacher's concept, (d,), from concepts (K, d), the first being the target, and a direction (d,) off them."""
    turn = np.radians(angle)
    return np.cos(turn) * np.asarray(concepts, float)[0] + np.sin(turn) * np.asarray(off, float)


def pulled(weak: ArrayLike, source: ArrayLike, eta: float) -> Array:
    """Limit, over many weak labels, of least squares with the penalty eta |b - source|^2."""
    return (np.asarray(weak, float) + eta * np.asarray(source, float)) / (1 + eta)


def floor(weak: ArrayLike, source: ArrayLike, target: ArrayLike) -> float:
    """Least excess risk of ``pulled`` over all eta >= 0: the squared distance of the target to a segment."""
    start, step = np.asarray(weak, float), np.subtract(source, weak, dtype=float)
    length = float(step @ step)
    share = np.clip((np.subtract(target, start) @ step) / length, 0, 1) if length else 0.0
    return float(np.square(start + share * step - target).sum())


def tilt(teacher: Teacher) -> float:
    """The t in [0, 1 / deviation^2] at which E exp(t (log-odds) deviation^2) is least, see ``decay_rate``."""
    above, below = teacher.cosine, _quadratic(teacher)
    highest = 1 / teacher.deviation**2
    return min(above / below, highest) if below > 0 else highest


def decay_rate(teacher: Teacher) -> float:
    """Rate C at which the mean posterior mass of a wrong concept decays with the number of weak pairs.

    -log of the least E exp(s l) over s in [0, 1], l the log-odds of one wrong concept against the target in one pair
    (Chernoff, Cramer).  Excess risk of a student of refined labels decays at 2 C, that of answers in context at C.
    """
    t = tilt(teacher)
    return float(np.log1p(2 * t * teacher.cosine - t**2 * _quadratic(teacher)) / 2)


def mean_log_odds(teacher: Teacher) -> float:
    """Mean log-odds, per pair, of a wrong concept against the target: the rate of typical contexts, not of the mean."""
    return -teacher.cosine / teacher.deviation**2


def posterior(answers: ArrayLike, labels: ArrayLike, deviation: float) -> Array:
    """Posterior (..., n + 1, K) after each number of pairs, from concepts' answers (..., n, K) and labels (..., n)."""
    return softmax(_evidence(np.asarray(answers, float), np.asarray(labels, float), deviation), axis=-1)


def moments(
    teacher: Teacher, concepts: int, contexts: int, n_icl: Sequence[int], generator: np.random.Generator
) -> Moments:
    """Moments of the posterior by importance sampling: as exact for a mass of 1e-12 as for one of 1/2.

    Contexts are drawn as if concept 2 were about to win: pairs tilted by exp(s l), each context weighed by the inverse.
    Concepts other than the first are exchangeable, so one stands for all.
    """
    longest, t = max(n_icl), tilt(teacher)
    root = np.linalg.cholesky(_tilted_covariance(teacher, t))
    rival, own, error = np.moveaxis(generator.standard_normal((contexts, longest, 3)) @ root.T, -1, 0)
    others = generator.standard_normal((contexts, longest, concepts - 2))
    answers = np.concatenate([own[..., None], rival[..., None], others], axis=-1)
    evidence = _evidence(answers, teacher.cosine * own + error, teacher.deviation)[:, list(n_icl)]
    odds = evidence[..., 1] - evidence[..., 0]
    logarithm = log_softmax(evidence, axis=-1)
    unweighed = logarithm[..., 1] - t * teacher.deviation**2 * odds - decay_rate(teacher) * np.asarray(n_icl)
    rivals = (concepts - 1) * np.exp(unweighed)
    away = -np.expm1(logarithm[..., 0]) + np.exp(logarithm[..., 1])
    return Moments(rivals.mean(axis=0), (rivals * away).mean(axis=0))


def excess(wrong: ArrayLike, concepts: int) -> Array:
    """Excess risk of the student of many refined labels, whose weight on the K - 1 wrong concepts is ``wrong``."""
    return np.square(np.asarray(wrong, float)) * concepts / (concepts - 1)


def broken(wrong: ArrayLike, concepts: int, rho: float, n_icl: ArrayLike) -> Array:
    """``wrong`` where each pair breaks its context with probability rho: all its labels then are of one wrong concept.

    The dependence that a bound of order rho n_ICL in total variation allows at worst.  Of a broken context as much mass
    ends on the target as otherwise on any one wrong concept.
    """
    share = -np.expm1(np.asarray(n_icl) * np.log1p(-rho))
    wrong = np.asarray(wrong, float)
    return (1 - share) * wrong + share * (1 - wrong / (concepts - 1))


def _evidence(answers: Array, labels: Array, deviation: float) -> Array:
    pairs = -np.square(labels[..., None] - answers) / (2 * deviation**2)
    total = np.cumsum(pairs, axis=-2)
    return np.concatenate([np.zeros((*total.shape[:-2], 1, total.shape[-1])), total], axis=-2)


def _quadratic(teacher: Teacher) -> float:
    cosine = teacher.cosine
    return 3 + 2 * teacher.noise**2 - 2 * cosine - cosine**2


def _tilted_covariance(teacher: Teacher, t: float) -> Array:
    """Covariance of (b_2 x, b_1 x, y' - cos b_1 x) under the tilt exp(t (b_2 - b_1)x (y' - (b_1 + b_2)x / 2))."""
    c = teacher.cosine
    exponent = np.array([[-1, c, 1], [c, 1 - 2 * c, -1], [1, -1, 0]]) / 2
    spread = 1 - c**2 + teacher.noise**2
    return np.linalg.inv(np.diag([1, 1, 1 / spread]) - 2 * t * exponent)  # type: ignore[return-value]
