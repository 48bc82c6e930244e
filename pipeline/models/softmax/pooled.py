"""Softmax heads on frozen features, each taught by a pool of teachers whose weights it may learn: RAVEN and others.

Jeon et al. 2025 (2510.21332): target sum_k w_k p_k(x), one vector w on the simplex for all samples; head and w descend
the same cross-entropy, the head by Adam with a cosine, w by SGD, then clamped and renormalised.  All heads of one
feature matrix are one tensor.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray
LEAST = 1e-6  # of a weight, in the authors' code
WARM_UP, AUXILIARY = 0.2, 0.5  # of the confidence loss: share of the steps, and its largest weight (Burns et al.)


class Rule(NamedTuple):
    """How one head learns.

    pool: rows of the label tensor that teach it.  rate: of the weights, 0 leaves them.
    easy: share of the epochs in which only samples count on whose class the whole pool agrees, w being frozen.
    repair: the weights descend KL(p_k, q) in place of the cross-entropy: each teacher's entropy is subtracted.
    normalised: the gradient of w goes through the normaliser of the target (as autograd does), or does not.
    start: the first weights, on the simplex; None: even.
    """

    pool: tuple[int, ...]
    rate: float = 0.0
    easy: float = 0.0
    repair: bool = False
    normalised: bool = False
    auxiliary: Literal["", "confidence", "adaptive"] = ""
    start: tuple[float, ...] | None = None


class Fitted(NamedTuple):
    """Heads after the epochs asked for, (snapshots, S, d, C); weights after 0, 1, ... epochs, (epochs + 1, S, T)."""

    heads: Array
    weights: Array


def fit(
    features: Array,
    labels: Array,
    rules: Sequence[Rule],
    order: Array,
    snapshots: Sequence[int],
    *,
    batch_size: int,
    learning_rate: float,
    kept: Array | None = None,
) -> Fitted:
    """Train all heads through the same batches, from zero.

    features (n, d), labels (T, n, C) on the simplex, order (epochs, n); kept (S, n) bool: samples that count at all.
    Raises ValueError on a pool that names no row of the labels.
    """
    check(rules, len(labels))
    x, p = torch.from_numpy(features), torch.from_numpy(np.asarray(labels, np.float32))
    entropy, pools = -torch.special.xlogy(p, p).sum(-1), _pools(rules, len(labels))
    weights = _starts(rules, pools)
    counts, agreed = _counted(kept, len(rules), len(x)), _agreed(p, rules)
    heads = torch.zeros(x.shape[1], len(rules) * p.shape[2])
    moments = torch.zeros(2, *heads.shape)
    easy = torch.tensor([round(rule.easy * len(order)) for rule in rules])
    steps, step, found, path = order.shape[0] * -(-len(x) // batch_size), 0, [], [weights]
    for epoch, visited in enumerate(torch.from_numpy(order.astype(np.int64))):
        first = (epoch < easy)[:, None]  # (S, 1)
        used = torch.where(first, counts & agreed, counts).float()  # (S, n)
        for rows in visited.split(batch_size):
            share = used[:, rows] / used[:, rows].sum(1, keepdim=True).clamp_min(1)  # (S, b)
            logq = torch.log_softmax((x[rows] @ heads).view(len(rows), len(rules), -1), -1).transpose(0, 1)  # (S, b, C)
            target = targets(p[:, rows], weights, logq, rules, step / steps)
            slope = (logq.exp() - target) * share[..., None]
            moved = _moved(p[:, rows], entropy[:, rows], weights, logq, share, rules)
            weights = torch.where(first, weights, onto_simplex(weights - moved, pools))
            step += 1
            rate = learning_rate * (1 + np.cos(np.pi * (step - 1) / steps)) / 2
            _adam(heads, x[rows].T @ slope.transpose(0, 1).reshape(len(rows), -1), moments, rate, step)
        path.append(weights)
        if epoch + 1 in snapshots:
            found.append(heads.view(x.shape[1], len(rules), -1).transpose(0, 1).clone())
    return Fitted(torch.stack(found).numpy(), torch.stack(path).numpy())


def predict(features: Array, heads: Array) -> Array:
    """Probabilities in float64: (n, d) and (..., d, C) -> (..., n, C)."""
    logits = features.astype(np.float64) @ heads.astype(np.float64)
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(odds / odds.sum(-1, keepdims=True))


def targets(p: Tensor, weights: Tensor, logq: Tensor, rules: Sequence[Rule], done: float) -> Tensor:
    """What each head is told of a batch, (S, b, C): its mixture of teachers, and where asked for part of itself.

    p (T, b, C), weights (S, T), logq (S, b, C).  `confidence`: Burns et al. as the authors port it, hardened by argmax,
    warmed up linearly.  `adaptive`: the share is e^a / (e^a + e^b), a and b the student's cross-entropies with its own
    class and with the teacher's.
    """
    mixed = torch.einsum("st,tbc->sbc", weights, p)
    own = torch.nn.functional.one_hot(logq.argmax(-1), logq.shape[-1]).to(mixed)
    told = logq.gather(-1, mixed.argmax(-1, keepdim=True))
    adaptive = torch.sigmoid(told - logq.max(-1, keepdim=True).values)  # e^a / (e^a + e^b) = sigmoid(a - b)
    which = [("", "confidence", "adaptive").index(rule.auxiliary) for rule in rules]
    kind = torch.tensor(which)[:, None, None]
    share = (kind == 1) * (AUXILIARY * min(1.0, done / WARM_UP)) + (kind == 2) * adaptive
    return (1 - share) * mixed + share * own


def onto_simplex(weights: Tensor, pools: Tensor) -> Tensor:
    """Clamped from below within each pool, zero outside it, renormalised: (S, T)."""
    weights = weights.clamp_min(LEAST) * pools
    return weights / weights.sum(1, keepdim=True)


def tempered(labels: Array, temperature: float) -> Array:
    """p^(1 / temperature), renormalised: (..., C)."""
    logits = np.log(np.maximum(labels, 1e-12)) / temperature
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(odds / odds.sum(-1, keepdims=True))


def matched(labels: Array) -> Array:
    """Labels (K, n, C), each teacher at the temperature where its mean entropy is the mean of the pool's."""
    level = np.mean([mean_entropy(own) for own in labels])
    return np.stack([tempered(own, _temperature(own, float(level))) for own in labels])


def mean_entropy(labels: Array) -> float:
    """Mean entropy of distributions (..., C), in nats."""
    p = np.asarray(labels, np.float64)
    return float(-(p * np.log(np.maximum(p, 1e-300))).sum(-1).mean())


def check(rules: Sequence[Rule], teachers: int) -> None:
    """Raise ValueError where a rule is none."""
    for rule in rules:
        if not rule.pool or not all(0 <= place < teachers for place in rule.pool):
            raise ValueError(f"the pool {rule.pool} names no rows of the {teachers} label sets")
        if not 0 <= rule.easy < 1:
            raise ValueError(f"easy is {rule.easy}; E0 is a share of the epochs, at least 0 and below 1")
        given = rule.start
        if given is not None and (len(given) != len(rule.pool) or min(given) < 0 or abs(sum(given) - 1) > 1e-6):
            raise ValueError(f"start {given} is off the simplex of the {len(rule.pool)} teachers of its pool")


def _temperature(labels: Array, level: float) -> float:
    # Entropy grows with temperature: bisection of its logarithm.
    low, high = -4.0, 4.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_entropy(tempered(labels, np.exp(middle))) < level else (low, middle)
    return float(np.exp((low + high) / 2))


def _pools(rules: Sequence[Rule], teachers: int) -> Tensor:
    pools = torch.zeros(len(rules), teachers)
    for place, rule in enumerate(rules):
        pools[place, list(rule.pool)] = 1
    return pools


def _starts(rules: Sequence[Rule], pools: Tensor) -> Tensor:
    weights = pools / pools.sum(1, keepdim=True)
    for place, rule in enumerate(rules):
        if rule.start is not None:
            weights[place, list(rule.pool)] = torch.tensor(rule.start)
    return weights


def _counted(kept: Array | None, heads: int, samples: int) -> Tensor:
    return torch.ones(heads, samples, dtype=torch.bool) if kept is None else torch.from_numpy(kept)


def _agreed(p: Tensor, rules: Sequence[Rule]) -> Tensor:
    """Samples on whose class the whole pool agrees, (S, n)."""
    classes = p.argmax(-1)
    return torch.stack([(classes[list(rule.pool)] == classes[rule.pool[0]]).all(0) for rule in rules])


def _moved(p: Tensor, entropy: Tensor, weights: Tensor, logq: Tensor, share: Tensor, rules: Sequence[Rule]) -> Tensor:
    """Step of the weights: rate times the gradient of the batch's loss, (S, T)."""
    slope = -torch.einsum("tbc,sbc->st", p, logq * share[..., None])
    # The normaliser's part of the gradient: the loss itself, the same for every teacher.
    within = torch.tensor([rule.normalised for rule in rules])[:, None] * (weights * slope).sum(1, keepdim=True)
    repaired = torch.tensor([rule.repair for rule in rules])[:, None] * torch.einsum("tb,sb->st", entropy, share)
    return torch.tensor([[rule.rate] for rule in rules]) * (slope - within - repaired)


def _adam(heads: Tensor, slope: Tensor, moments: Tensor, rate: float, step: int) -> None:
    first, second = moments
    first.lerp_(slope, 0.1)
    second.mul_(0.999).addcmul_(slope, slope, value=0.001)
    heads.sub_(rate * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt_().add_(1e-8)))
