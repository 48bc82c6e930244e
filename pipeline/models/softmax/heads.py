"""Softmax-linear heads of k classes on frozen features: by AdamW with snapshots, and solved to a certificate.

K heads are (K, h + 1, k), the bias in row h.  Features are (K, n, h), or (n, h) where all share them; targets are
distributions (K, n, k).  A head stands for a task, a seed or a grid point alike.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from pipeline.models.network.adamw import AdamW
from pipeline.models.network.lanes import LANES, aligned
from pipeline.models.softmax import kernels
from pipeline.theory.divergence import by_name, checked

Array = np.ndarray
LOSSES = {"cross_entropy": False, "reverse_kl": True}  # for the AdamW kernel: is the student first?


class Solved(NamedTuple):
    """Heads and their certificate."""

    heads: Array  # (K, h + 1, k)
    residual: Array  # (K,) largest slope of the loss by any weight on standardised features: 0 at an optimum (KKT)
    decrement: Array  # (K,) what a further Newton step would save, in nats
    steps: int


def predict(features: Array, heads: Array) -> Array:
    """Probabilities in float64, (K, n, k); one head (h + 1, k) gives (n, k)."""
    if features.shape[-1] != heads.shape[-2] - 1:
        raise ValueError(f"features have {features.shape[-1]} units, the head takes {heads.shape[-2] - 1}")
    heads = heads.astype(np.float64)
    return softmax(features.astype(np.float64) @ heads[..., :-1, :] + heads[..., -1:, :])


def softmax(logits: Array) -> Array:
    """Softmax over the last axis, written for few classes: numpy reduces a short last axis slowly."""
    highest = reduce(np.maximum, (logits[..., label] for label in range(logits.shape[-1])))
    powers = np.exp(logits - highest[..., None])
    return powers / _over_classes(powers)[..., None]


def initialise(generator: np.random.Generator, count: int, width: int, classes: int) -> Array:
    """PyTorch's default for nn.Linear(width, classes): uniform within 1 / sqrt(width), shape (count, width + 1, k)."""
    bound = 1 / np.sqrt(width)
    return generator.uniform(-bound, bound, (count, width + 1, classes)).astype(np.float32)


def fit_adamw(
    features: Array,
    targets: Array,
    initial: Array,
    orders: Array,
    snapshots: Sequence[int],
    *,
    loss: str,
    learning_rate: float,
    weight_decay: float,
    batch_size: int,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> Array:
    """AdamW on the mean loss of each batch, one epoch per row of orders (E, n), the same for all K heads.

    loss: cross_entropy (or forward_kl, the same slopes) or reverse_kl.  Returns the heads after each of the epochs
    named in snapshots (rising, from 0 to E), shape (S, K, h + 1, k) float32.
    """
    reverse = _is_reverse(loss)
    targets = _checked(features, targets)
    epochs, orders = _checked_orders(orders, snapshots, targets.shape[1], batch_size)
    if reverse:
        if targets.min() <= 0:
            raise ValueError("targets hold a zero; reverse_kl needs a floor, see divergence.floored")
        targets = np.log(targets)
    optimiser = AdamW(learning_rate, weight_decay, *betas, eps)
    fitted = np.empty((len(epochs), *initial.shape), dtype=np.float32)
    for first in range(0, len(targets), LANES):
        group = slice(first, first + LANES)
        count, (_, rows, classes) = len(targets[group]), initial.shape
        weights = _lanes(initial[group].transpose(0, 2, 1).reshape(count, -1))
        taken = np.empty((len(epochs), *weights.shape), dtype=np.float32)
        batch = kernels.untrained(weights, classes)
        own = features if features.ndim == 2 else _lanes(features[group].reshape(count, -1))
        own = _contiguous(own) if features.ndim == 2 else own.reshape(*features.shape[1:], LANES)
        labels = _lanes(targets[group].reshape(count, -1)).reshape(*targets.shape[1:], LANES)
        kernels.train(batch, own, labels, orders, batch_size, optimiser, reverse, epochs, taken)
        kept = taken[:, :, :count].reshape(len(epochs), classes, rows, count)
        fitted[:, group] = kept.transpose(0, 3, 2, 1)
    if not np.isfinite(fitted).all():
        raise FloatingPointError("a softmax head is not finite: training diverged")
    return fitted


def fit_exact(
    features: Array,
    targets: Array,
    *,
    loss: str,
    min_active: int,
    tolerance: float,
    max_steps: int,
    initial: Array | None = None,
) -> Solved:
    """Minimisers of any smooth loss of the registry by damped Newton steps in float64, all K heads at once.

    Forward KL and cross-entropy have one minimum; other losses are not convex in the weights and end in a stationary
    point, whose residual is reported the same way.  Units active on fewer than min_active samples stay out.
    """
    targets = _checked(features, targets)
    design, scale, centre = _standardised(np.broadcast_to(features, (len(targets), *features.shape[-2:])), min_active)
    heads = (
        np.zeros((len(targets), design.shape[-1], targets.shape[-1]))
        if initial is None
        else _inward(initial, scale, centre)
    )
    damping, active = np.full(len(heads), 1e-8), np.arange(len(heads))
    value, slope, hessian = _moments(design, heads, targets, loss)
    residual, decrement, step = np.abs(slope).max(axis=(1, 2)), np.full(len(heads), np.inf), 0
    while step < max_steps and len(active):
        step += 1
        change, saving = _newton(slope[active], hessian[active], damping[active])
        decrement[active] = saving
        trial = heads[active] - change
        found = _moments(design[active], trial, targets[active], loss)
        better = found[0] <= value[active] + 1e-13
        damping[active] = np.clip(np.where(better, damping[active] / 10, damping[active] * 10), 1e-10, 1e6)
        won = active[better]
        heads[won], value[won], slope[won], hessian[won] = trial[better], *(part[better] for part in found)
        residual[won] = np.abs(slope[won]).max(axis=(1, 2))
        active = active[(residual[active] > tolerance) & (damping[active] < 1e6)]
    return Solved(_outward(heads, scale, centre), residual, decrement, step)


def _moments(design: Array, heads: Array, targets: Array, loss: str) -> tuple[Array, Array, Array]:
    """Mean loss (K,), its slope by the heads (K, d, k) and its Hessian (K, k d, k d), class after class."""
    divergence = by_name(loss)
    predicted = np.maximum(softmax(design @ heads), np.finfo(float).tiny)
    value = np.mean(divergence.value(targets, predicted), axis=-1)
    by_probability = divergence.slope(targets, predicted)
    excess = by_probability - _over_classes(predicted * by_probability)[..., None]
    by_logit, weights = (
        predicted * excess,
        _logit_curvature(predicted, excess, divergence.curvature(targets, predicted)),
    )
    count, samples, size = design.shape
    classes, turned = heads.shape[-1], design.transpose(0, 2, 1)
    hessian = np.empty((count, classes, size, classes, size))
    for a in range(classes):
        for b in range(a + 1):
            block = turned @ (weights(a, b)[..., None] * design) / samples
            hessian[:, a, :, b], hessian[:, b, :, a] = block, block
    return value, turned @ by_logit / samples, hessian.reshape(count, classes * size, classes * size)


def _logit_curvature(predicted: Array, excess: Array, curvature: Array) -> Callable[[int, int], Array]:
    """Second derivative of a loss by the logits a and b, given its first (`excess`) and second by the probabilities."""
    bent = predicted**2 * curvature
    total = _over_classes(bent)

    def weights(a: int, b: int) -> Array:
        p, q = predicted[..., a], predicted[..., b]
        first = (a == b) * p * excess[..., a] - p * q * (excess[..., a] + excess[..., b])
        second = (a == b) * bent[..., a] - q * bent[..., a] - p * bent[..., b] + p * q * total
        return first + second

    return weights


def _newton(slope: Array, hessian: Array, damping: Array) -> tuple[Array, Array]:
    """Damped step (K, d, k) downhill and half its decrement (K,); a direction of negative curvature is turned round."""
    count, size, classes = slope.shape
    values, vectors = np.linalg.eigh(hessian)
    flat = vectors.transpose(0, 2, 1) @ slope.transpose(0, 2, 1).reshape(count, classes * size, 1)
    change = flat / (np.abs(values) + damping[:, None])[..., None]
    decrement = np.sum(flat * change, axis=(1, 2)) / 2
    return (vectors @ change).reshape(count, classes, size).transpose(0, 2, 1), decrement


def _over_classes(values: Array) -> Array:
    return values @ np.ones(values.shape[-1])


def _standardised(features: Array, min_active: int) -> tuple[Array, Array, Array]:
    """Design with a last column of ones, zero for units left out; and the scale and centre of every unit."""
    features = features.astype(np.float64)
    centre, scale = features.mean(axis=-2), features.std(axis=-2)
    kept = (np.count_nonzero(features, axis=-2) >= min_active) & (np.ptp(features, axis=-2) > 0)
    scale = np.where(kept, scale, np.inf)
    standard = (features - centre[:, None]) / scale[:, None]
    return np.concatenate([standard, np.ones((*features.shape[:-1], 1))], axis=-1), scale, centre


def _outward(heads: Array, scale: Array, centre: Array) -> Array:
    weights = heads[:, :-1] / scale[..., None]
    return np.concatenate([weights, heads[:, -1:] - centre[:, None] @ weights], axis=1)


def _inward(heads: Array, scale: Array, centre: Array) -> Array:
    kept = np.isfinite(scale)[..., None]
    weights = np.where(kept, heads[:, :-1], 0)
    bias = heads[:, -1:] + centre[:, None] @ weights
    return np.concatenate([weights * np.where(kept, scale[..., None], 0), bias], axis=1)


def _is_reverse(loss: str) -> bool:
    loss = "cross_entropy" if loss == "forward_kl" else loss
    if loss not in LOSSES:
        raise ValueError(f"loss '{loss}' is not known to the minibatch kernel; choose from {', '.join(LOSSES)}")
    return LOSSES[loss]


def _checked(features: Array, targets: Array) -> Array:
    targets = checked("targets", targets)
    if targets.ndim != 3:
        raise ValueError(f"targets have shape {targets.shape}, expected (heads, samples, classes)")
    shared = (targets.shape[1], features.shape[-1])
    if features.shape not in (shared, (len(targets), *shared)):
        raise ValueError(f"features have shape {features.shape}, expected {shared} or {(len(targets), *shared)}")
    if not np.isfinite(features).all():
        raise ValueError("features hold a value that is not finite")
    return targets


def _checked_orders(orders: Array, snapshots: Sequence[int], samples: int, batch_size: int) -> tuple[Array, Array]:
    if orders.ndim != 2 or orders.shape[1] != samples or orders.min(initial=0) < 0 or orders.max(initial=0) >= samples:
        raise ValueError(f"orders have shape {orders.shape}; expected (epochs, {samples}) with numbers below {samples}")
    epochs = np.asarray(snapshots, dtype=np.int64)
    if not len(epochs) or (np.diff(epochs) <= 0).any() or epochs[0] < 0 or epochs[-1] > len(orders):
        raise ValueError(f"snapshots are {list(snapshots)}; expected rising epochs from 0 to {len(orders)}")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, expected a positive number")
    return epochs, np.ascontiguousarray(orders, dtype=np.int64)


def _lanes(rows: Array) -> Array:
    """(tasks, m) -> (m, LANES) float32, zeros in the lanes without a task."""
    wide = aligned(rows.shape[1], LANES)
    wide[:, : len(rows)] = rows.T
    return wide


def _contiguous(features: Array) -> Array:
    return np.ascontiguousarray(features, dtype=np.float32)
