"""Linear heads on frozen features: by the authors' AdamW protocol and exactly.

A head is (h + 1,), the bias last; K heads are (K, h + 1). Features of K tasks are (K, n, h), or (n, h) where all share
them; labels are (K, n).
"""

from collections.abc import Iterator

import numpy as np

from pipeline.models.network import head_kernels
from pipeline.models.network.adamw import AdamW
from pipeline.models.network.lanes import LANES, aligned

Array = np.ndarray


def fit_adamw(
    features: Array,
    labels: Array,
    initial: Array,
    orders: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    batch_size: int,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> Array:
    """AdamW on the mean squared error of each batch, one epoch per row of orders (E, n), the same for all K tasks.

    Float32, step by step as torch.optim.AdamW on each task alone. Returns (K, h + 1).
    """
    orders = _checked(features, labels, initial, orders, batch_size)
    optimiser = AdamW(learning_rate, weight_decay, *betas, eps)
    fitted = np.empty(initial.shape, dtype=np.float32)
    for group in _groups(len(labels)):
        batch = head_kernels.untrained(_lanes(initial[group]))
        head_kernels.train(batch, _samples(features, labels, group), orders, batch_size, optimiser)
        fitted[group] = batch.state.parameters[:, : len(labels[group])].T
    return _finite(fitted)


def fit_adamw_averaged(
    features: Array,
    labels: Array,
    initial: Array,
    orders: Array,
    *,
    validation_features: Array,
    validation_labels: Array,
    learning_rate: float,
    weight_decay: float,
    batch_size: int,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> Array:
    """As fit_adamw, but each task's head is the mean over its epochs, weighted by their errors on validation samples.

    Validation features are (K, m, h), or (m, h) where all share them; labels are (K, m).  An epoch of mean squared
    error e weighs e ** (-m / 2), the likelihood of the m labels under Gaussian errors of unknown variance: early
    stopping without its jumps, for the best epoch of two that are nearly equal hangs on rounding.  Returns (K, h + 1),
    float64.
    """
    orders = _checked(features, labels, initial, orders, batch_size)
    _check_samples("validation ", validation_features, validation_labels, len(labels), features.shape[-1])
    optimiser = AdamW(learning_rate, weight_decay, *betas, eps)
    fitted = np.empty(initial.shape)
    for group in _groups(len(labels)):
        batch, average = head_kernels.untrained(_lanes(initial[group])), np.empty((initial.shape[1], LANES))
        samples, validation = _samples(features, labels, group), _samples(validation_features, validation_labels, group)
        head_kernels.train_averaged(batch, samples, orders, batch_size, optimiser, validation, average)
        fitted[group] = average[:, : len(labels[group])].T
    return _finite(fitted)


def fit_exact(features: Array, labels: Array, *, min_active: int, rcond: float) -> Array:
    """Least squares with intercept in float64 on features (n, h): the empirical minimiser, shape (h + 1,).

    A unit that is nonzero on fewer than min_active samples gets weight zero: it would have a huge leverage on fresh
    points. The others are standardised; singular values below rcond times the largest count as zero.
    """
    features, labels = _checked_one(features, labels)
    centre, scale = _standardisation(features)
    kept = (np.count_nonzero(features, axis=0) >= min_active) & (scale > 0)
    weights = np.zeros(features.shape[1])
    if kept.any():
        left, singular, right = np.linalg.svd((features[:, kept] - centre[kept]) / scale[kept], full_matrices=False)
        large = singular > rcond * singular[0]
        projected = left[:, large].T @ (labels - labels.mean())
        weights[kept] = right[large].T @ (projected / singular[large]) / scale[kept]
    return _finite(np.append(weights, labels.mean() - centre @ weights))


def _standardisation(features: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each column of (n, h); exactly 0 for a column that is constant."""
    scale = features.std(axis=0)
    return features.mean(axis=0), np.where(np.ptp(features, axis=0) > 0, scale, 0.0)


def predict(features: Array, heads: Array) -> Array:
    """Predictions in float64: (n, h) and one head give (n,); K heads give (K, n), features shared or (K, n, h)."""
    if features.shape[-1] != heads.shape[-1] - 1:
        raise ValueError(f"features have {features.shape[-1]} units, the head takes {heads.shape[-1] - 1}")
    if heads.ndim == 1:
        return head_kernels.predict(features, heads)
    own = features if features.ndim == 3 else [features] * len(heads)
    return np.stack([head_kernels.predict(*pair) for pair in zip(own, heads, strict=True)])


def _groups(tasks: int) -> Iterator[slice]:
    return (slice(start, start + LANES) for start in range(0, tasks, LANES))


def _lanes(rows: Array) -> Array:
    """(tasks, n) -> (n, LANES) float32, zeros in the lanes without a task."""
    lanes = aligned(rows.shape[1], LANES)
    lanes[:, : len(rows)] = rows.T
    return lanes


def _samples(features: Array, labels: Array, group: slice) -> head_kernels.Samples:
    return head_kernels.Samples(_features(features, group), _lanes(labels[group]))


def _features(features: Array, group: slice) -> Array:
    """Shared features as they are, the tasks' own interleaved: (tasks, n, h) -> (n, h, LANES)."""
    if features.ndim == 2:
        return np.ascontiguousarray(features, dtype=np.float32)
    own = features[group]
    lanes = aligned(*own.shape[1:], LANES)
    lanes[..., : len(own)] = np.moveaxis(own, 0, -1)
    return lanes


def _checked(features: Array, labels: Array, initial: Array, orders: Array, batch_size: int) -> Array:
    tasks, width = len(labels), features.shape[-1]
    _check_samples("", features, labels, tasks, width)
    samples = labels.shape[1]
    if initial.shape != (tasks, width + 1):
        raise ValueError(f"initial heads have shape {initial.shape}, expected {(tasks, width + 1)}")
    if orders.ndim != 2 or orders.shape[1] != samples:
        raise ValueError(f"orders have shape {orders.shape}, expected (epochs, {samples})")
    if orders.size and (orders.min() < 0 or orders.max() >= samples):
        raise ValueError(f"orders point outside the {samples} samples")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, expected a positive number")
    return np.ascontiguousarray(orders, dtype=np.int64)


def _check_samples(name: str, features: Array, labels: Array, tasks: int, width: int) -> None:
    if labels.ndim != 2 or len(labels) != tasks:
        raise ValueError(f"{name}labels have shape {labels.shape}, expected ({tasks}, samples)")
    shared = (labels.shape[1], width)
    if features.shape not in (shared, (tasks, *shared)):
        raise ValueError(f"{name}features have shape {features.shape}, expected {shared} or {(tasks, *shared)}")


def _checked_one(features: Array, labels: Array) -> tuple[Array, Array]:
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(f"features {features.shape} and labels {labels.shape} do not belong together")
    features, labels = features.astype(np.float64), labels.astype(np.float64)
    if not (np.isfinite(features).all() and np.isfinite(labels).all()):
        raise ValueError("features or labels hold a value that is not finite")
    return features, labels


def _finite(heads: Array) -> Array:
    if np.isfinite(heads).all():
        return heads
    if heads.ndim == 1:
        raise FloatingPointError("the fitted head is not finite")
    task = int(np.argmin(np.isfinite(heads).all(axis=1)))
    raise FloatingPointError(f"the head of task {task} is not finite: training diverged")
