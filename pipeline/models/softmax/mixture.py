"""Mixtures of fixed experts, a convex class of distributions: the projection of a teacher solved to a duality gap.

Experts' predictions are (K, n, E, k): K tasks, n points, E experts, k classes; targets (K, n, k); weights (K, E).
"""

from typing import NamedTuple

import numpy as np

from pipeline.theory.divergence import by_name, checked

Array = np.ndarray
_TO_THE_BOUNDARY, _SHRINK = 0.995, 0.1


class Projected(NamedTuple):
    """Weights and their certificate."""

    weights: Array  # (K, E), on the simplex
    gap: Array  # (K,) nats; the loss exceeds its minimum over all mixtures by no more (Frank-Wolfe duality gap)
    steps: int


def mix(experts: Array, weights: Array) -> Array:
    """Predictions of the mixtures, (K, n, k)."""
    return (weights[:, None, None, :] @ experts)[:, :, 0]


def project(experts: Array, targets: Array, *, loss: str, tolerance: float, max_steps: int) -> Projected:
    """argmin over mixtures of E d(target, mixture), by a primal-dual interior-point method, all K tasks at once.

    Every divergence of the registry is convex in the mixture; total variation is not smooth and may stop with a gap.

    Raises ValueError on an unknown loss, rows that are no distributions or an entry that is 0 (see divergence.floored).
    """
    experts, targets = _checked(experts, targets)
    count, _, size, _ = experts.shape
    weights, dual = np.full((count, size), 1 / size), np.full((count, size), 1.0)
    flat = experts.transpose(0, 2, 1, 3).reshape(count, size, -1)
    slope, curvature = _moments(flat, weights, targets, loss)
    best, lowest, step = weights, _gap(slope, weights), 0
    while step < max_steps and (lowest > tolerance).any():
        step += 1
        change, dual_change = _newton(weights, dual, slope, curvature)
        length = np.minimum(_length(weights, change), _length(dual, dual_change))[:, None]
        weights, dual = weights + length * change, dual + length * dual_change
        weights = weights / weights.sum(axis=1, keepdims=True)
        slope, curvature = _moments(flat, weights, targets, loss)
        gap = _gap(slope, weights)
        best, lowest = np.where((gap < lowest)[:, None], weights, best), np.minimum(gap, lowest)
    return Projected(best, lowest, step)


def _moments(flat: Array, weights: Array, targets: Array, loss: str) -> tuple[Array, Array]:
    """Slope (K, E) and Hessian (K, E, E) of the mean loss by the weights; experts as (K, E, n k)."""
    mixture = (weights[:, None, :] @ flat).reshape(targets.shape)
    samples, divergence = targets.shape[1], by_name(loss)
    by_probability = divergence.slope(targets, mixture).reshape(len(flat), -1, 1)
    bent = divergence.curvature(targets, mixture).reshape(len(flat), 1, -1)
    return (flat @ by_probability)[..., 0] / samples, (flat * bent) @ flat.transpose(0, 2, 1) / samples


def _newton(weights: Array, dual: Array, slope: Array, curvature: Array) -> tuple[Array, Array]:
    """Step towards slope - dual + nu = 0 and weights * dual = centre, with weights that go on summing to 1."""
    size = weights.shape[1]
    centre = _SHRINK * np.sum(weights * dual, axis=1, keepdims=True) / size
    system = np.zeros((len(weights), size + 1, size + 1))
    system[:, :size, :size] = curvature + (dual / weights)[:, :, None] * np.eye(size)
    system[:, :size, size] = system[:, size, :size] = 1
    right = np.zeros((len(weights), size + 1, 1))
    right[:, :size, 0] = centre / weights - slope
    change = np.linalg.solve(system, right)[:, :size, 0]
    return change, centre / weights - dual - dual / weights * change


def _length(values: Array, change: Array) -> Array:
    """The longest step up to 1 that keeps the values positive."""
    ratio = np.divide(-values, change, out=np.full_like(values, np.inf), where=change < 0)
    return np.minimum(1.0, _TO_THE_BOUNDARY * ratio.min(axis=1))


def _gap(slope: Array, weights: Array) -> Array:
    return np.sum(slope * weights, axis=1) - slope.min(axis=1)


def _checked(experts: Array, targets: Array) -> tuple[Array, Array]:
    experts, targets = checked("experts", experts), checked("targets", targets)
    if experts.ndim != 4 or targets.shape != (*experts.shape[:2], experts.shape[3]):
        raise ValueError(f"experts {experts.shape} and targets {targets.shape} do not belong together")
    if experts.min() <= 0 or targets.min() <= 0:
        raise ValueError("experts or targets hold a zero; put a floor under them, see divergence.floored")
    return experts, targets
