"""Linear heads of thousands of tasks at once on a device: the same protocols as pipeline/models/network/heads.py.

Features are (K, n, h), labels (K, n), heads (K, h + 1) with the bias last.  Sums are taken in another order than by the
kernels of the processor; RTOL is the agreement to expect of the predictions.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from pipeline.scale.machine import device

Array = np.ndarray
RTOL = {"adamw": 1e-3, "exact": 1e-6}  # largest difference of predictions over their root mean square
CHUNK = 10_000  # tasks that the device holds at once; tasks do not know of each other


def fit_adamw(
    features: Array,
    labels: Array,
    initial: Array,
    orders: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    batch_size: int,
) -> Array:
    """AdamW (torch's own) on the mean squared error of each batch, an epoch per row of orders (E, n).

    Float32.  Every task takes the same steps as it would alone, because AdamW treats each weight by itself.
    """
    fitted = np.empty(initial.shape, dtype=np.float32)
    for part in _chunks(len(labels)):
        fitted[part] = _descend(
            _with_intercept(features[part], torch.float32),
            torch.from_numpy(labels[part]).to(device()),
            torch.from_numpy(initial[part].astype(np.float32)).to(device()),
            torch.from_numpy(orders.astype(np.int64)).to(device()),
            (learning_rate, weight_decay, batch_size),
        )
    if not np.isfinite(fitted).all():
        raise FloatingPointError("a head is not finite: training diverged")
    return fitted


def fit_exact(features: Array, labels: Array, *, min_active: int, rcond: float) -> Array:
    """Least squares with intercept in float64; units active on fewer than min_active samples get weight zero."""
    fitted = [_solve(features[part], labels[part], min_active, rcond) for part in _chunks(len(labels))]
    return np.concatenate(fitted)


def predict(features: Array, heads: Array) -> Array:
    """Predictions of every task's head, shape (K, n), float64."""
    parts = [
        torch.einsum("knh,kh->kn", _with_intercept(features[part], torch.float64), _double(heads[part]))
        for part in _chunks(len(heads))
    ]
    return torch.cat([part.cpu() for part in parts]).numpy()


def difference(found: Array, expected: Array) -> float:
    """Largest difference of predictions over the root mean square of the expected ones."""
    return float(np.abs(found - expected).max() / np.sqrt(np.square(expected).mean()))


def _descend(
    inputs: Tensor, labels: Tensor, initial: Tensor, orders: Tensor, recipe: tuple[float, float, int]
) -> Array:
    learning_rate, weight_decay, batch_size = recipe
    heads = torch.nn.Parameter(initial)
    optimiser = torch.optim.AdamW([heads], lr=learning_rate, weight_decay=weight_decay, fused=True)
    heads.grad = torch.empty_like(heads)
    with torch.no_grad():
        for order in orders:
            shuffled, targets = inputs[:, order], labels[:, order]
            for start in range(0, targets.shape[1], batch_size):
                batch = shuffled[:, start : start + batch_size]
                residuals = batch @ heads.unsqueeze(-1) - targets[:, start : start + batch_size, None]
                torch.bmm(batch.mT, residuals * (2 / batch.shape[1]), out=heads.grad.unsqueeze(-1))
                optimiser.step()
    return heads.detach().cpu().numpy()


def _solve(features: Array, labels: Array, min_active: int, rcond: float) -> Array:
    given, targets = _double(features), _double(labels)
    centre = given.mean(dim=1, keepdim=True)
    constant = given.amax(dim=1, keepdim=True) == given.amin(dim=1, keepdim=True)
    scale = given.std(dim=1, keepdim=True, correction=0).masked_fill(constant, 0.0)
    kept = ((given != 0).sum(dim=1, keepdim=True) >= min_active) & (scale > 0)
    inverse = torch.where(kept, 1 / scale, 0.0)
    # A dropped unit is a column of zeros: its singular value is zero and is cut off with the small ones.
    basis, triangle = torch.linalg.qr((given - centre) * inverse)
    left, singular, right = torch.linalg.svd(triangle)
    large = singular > rcond * singular[:, :1]
    mean = targets.mean(dim=1, keepdim=True)
    projected = left.mT @ (basis.mT @ (targets - mean).unsqueeze(-1))
    shares = torch.where(large.unsqueeze(-1), projected / singular.unsqueeze(-1), 0.0)
    weights = (right.mT @ shares).squeeze(-1) * inverse.squeeze(1)
    bias = mean - (centre.squeeze(1) * weights).sum(dim=1, keepdim=True)
    return torch.cat([weights, bias], dim=1).cpu().numpy()


def _with_intercept(features: Array, precision: torch.dtype) -> Tensor:
    given = torch.from_numpy(features).to(device(), precision)
    return torch.cat([given, given.new_ones(*given.shape[:2], 1)], dim=-1)


def _double(values: Array) -> Tensor:
    return torch.from_numpy(values).to(device(), torch.float64)


def _chunks(tasks: int) -> Iterator[slice]:
    return (slice(first, first + CHUNK) for first in range(0, tasks, CHUNK))
