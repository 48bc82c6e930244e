"""Many linear heads on one frozen representation, trained together: one matrix product serves them all.

A head's logit is x . w (+ b where an intercept is asked for).  Pairs have none: swapping the slots must swap the sign.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from pipeline.language.losses import by_name

Array = np.ndarray


def fit(
    features: Array,
    labels: Array,
    losses: Sequence[str],
    rates: Array,
    order: Array,
    snapshots: Sequence[int],
    batch_size: int,
    weight_decay: float,
) -> Array:
    """AdamW (torch's own, decoupled decay) from zero weights, all heads through the same batches.

    features (n, d), labels (n, heads) in [0, 1], one loss and one learning rate a head, order (epochs, n).
    Returns the weights after the snapshot epochs, (snapshots, d, heads).  Raises FloatingPointError on divergence.
    """
    x, y = torch.from_numpy(features), torch.from_numpy(labels.astype(np.float32))
    weights = torch.zeros(features.shape[1], labels.shape[1], requires_grad=True)
    groups = _groups(losses)
    moments = [torch.zeros_like(weights), torch.zeros_like(weights)]
    rates_ = torch.from_numpy(np.asarray(rates, dtype=np.float32))
    steps, kept = order.shape[0] * -(-len(features) // batch_size), []
    step = 0
    for epoch, visited in enumerate(torch.from_numpy(order.astype(np.int64)), start=1):
        for rows in visited.split(batch_size):
            loss = _loss(x[rows] @ weights, y[rows], groups, step / steps)
            (slope,) = torch.autograd.grad(loss, weights)
            step += 1
            _adamw(weights, slope, moments, rates_, weight_decay, step)
        if epoch in snapshots:
            kept.append(weights.detach().numpy().copy())
    if not all(np.isfinite(one).all() for one in kept):
        raise FloatingPointError("the weights of a head are no longer finite")
    return np.stack(kept)


def predict(features: Array, weights: Array) -> Array:
    """Probabilities of class 1, float64: (n, d) and (..., d, heads) -> (..., heads, n)."""
    logits = np.swapaxes(features @ weights, -1, -2).astype(np.float64)
    return 1 / (1 + np.exp(-logits))


def _groups(losses: Sequence[str]) -> dict[str, torch.Tensor]:
    names = dict.fromkeys(losses)
    return {name: torch.tensor([place for place, one in enumerate(losses) if one == name]) for name in names}


def _loss(logits: torch.Tensor, labels: torch.Tensor, groups: Mapping[str, torch.Tensor], done: float) -> torch.Tensor:
    """Sum over heads of each head's mean over the batch: the heads do not touch each other."""
    each = [by_name(name)(logits[:, heads], labels[:, heads], done).mean(dim=0).sum() for name, heads in groups.items()]
    return torch.stack(each).sum()


@torch.no_grad()
def _adamw(
    weights: torch.Tensor,
    slope: torch.Tensor,
    moments: list[torch.Tensor],
    rates: torch.Tensor,
    decay: float,
    step: int,
) -> None:
    # Written out because torch's has one learning rate a tensor, and here every head (column) has its own.
    first, second = moments
    weights.mul_(1 - rates * decay)
    first.lerp_(slope, 0.1)
    second.mul_(0.999).addcmul_(slope, slope, value=0.001)
    scale = (second / (1 - 0.999**step)).sqrt_().add_(1e-8)
    weights.sub_(rates * (first / (1 - 0.9**step)) / scale)
