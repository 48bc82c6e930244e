"""Convex combinations: of k trained softmax heads, and of fixed experts for any Bregman divergence.

Mulgund and Pabbaraju 2025 train k heads and their weights together, because softmax heads alone are no convex class.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from pipeline.core.artifacts import Arrays
from pipeline.models.softmax.heads import softmax
from pipeline.theory.bregman import Generator, divergence

Array = NDArray[np.float64]
LOSSES = ("reverse_kl", "forward_kl")


def fit(
    features: Array,
    targets: Array,
    stream: np.random.Generator,
    *,
    heads: int,
    loss: str,
    steps: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
) -> Arrays:
    """k heads (k, h + 1, c), the bias in row h, and the logarithms of their weights (k,), trained by AdamW.

    features (n, h), targets (n, c).  reverse_kl: KL(student || target), forward_kl: cross-entropy with the target.
    The rate falls to 0 along a cosine; weight decay acts on the heads' matrices alone.  Raises ValueError if k < 1.
    """
    if heads < 1:
        raise ValueError(f"heads is {heads}; a convex combination needs at least 1")
    if loss not in LOSSES:
        raise ValueError(f"loss is '{loss}'; choose from {', '.join(LOSSES)}")
    bound, (samples, width), classes = 1 / np.sqrt(features.shape[1]), features.shape, targets.shape[1]
    start = stream.uniform(-bound, bound, (width + 1, heads * classes))
    matrix = torch.tensor(start[:-1], dtype=torch.float32, requires_grad=True)
    bias = torch.tensor(start[-1], dtype=torch.float32, requires_grad=True)
    mixing = torch.zeros(heads, requires_grad=True)
    inputs, wanted = (torch.tensor(array, dtype=torch.float32) for array in (features, targets))
    groups = [{"params": [matrix], "weight_decay": weight_decay}, {"params": [bias, mixing], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for rows in stream.integers(samples, size=(steps, batch_size)):
        each = torch.softmax((inputs[rows] @ matrix + bias).view(-1, heads, classes), dim=-1)
        student = (torch.softmax(mixing, 0) @ each).clamp_min(1e-12)
        target = wanted[rows]
        if loss == "reverse_kl":
            value = (student * (student.log() - target.log())).sum(-1).mean()
        else:
            value = -(target * student.log()).sum(-1).mean()
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        schedule.step()
    fitted = torch.cat([matrix, bias[None]]).detach().view(width + 1, heads, classes).permute(1, 0, 2)
    return {"heads": fitted.contiguous().numpy(), "weights": torch.log_softmax(mixing, 0).detach().numpy()}


def predict(features: Array, fitted: Arrays) -> Array:
    """Probabilities of the combination, (n, c), in float64."""
    heads, weights = (fitted[name].astype(np.float64) for name in ("heads", "weights"))
    mixed = np.zeros((len(features), heads.shape[2]))
    for head, weight in zip(heads, np.exp(weights), strict=True):
        mixed += weight * softmax(features.astype(np.float64) @ head[:-1] + head[-1])
    return mixed / mixed.sum(axis=1, keepdims=True)


def project(generator: Generator, experts: Array, target: Array) -> Array:
    """Weights (e,) of the mixture of experts (n, e, c) with least E D(mixture, target): the student first.

    D is convex in its first argument, so that this is a smooth convex problem on the simplex.
    """
    size, wanted = experts.shape[1], generator.slope(target)

    def value(weights: Array) -> float:
        return float(divergence(generator, np.einsum("e,nec->nc", weights, experts), target))

    def slope(weights: Array) -> Array:
        turned = generator.slope(np.einsum("e,nec->nc", weights, experts)) - wanted
        return np.einsum("nec,nc->e", experts, turned) / len(experts)

    found = minimize(
        value,
        np.full(size, 1 / size),
        jac=slope,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * size,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    weights = np.maximum(found.x, 0)
    return np.asarray(weights / weights.sum())


def slack(generator: Generator, experts: Array, target: Array, weights: Array) -> float:
    """By how much the projection can at most be bettered: its Frank-Wolfe gap, in units of the divergence."""
    mixture = np.einsum("e,nec->nc", weights, experts)
    slopes = np.einsum("nec,nc->e", experts, generator.slope(mixture) - generator.slope(target)) / len(experts)
    return float(slopes @ weights - slopes.min())
