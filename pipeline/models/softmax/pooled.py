"""Softmax heads on frozen features, each taught by a pool of teachers whose weights it may learn: RAVEN and others.

Jeon et al. 2025 (2510.21332): target sum_k w_k p_k(x), one vector w on the simplex for all samples; head and w descend
the same cross-entropy, the head by Adam with a cosine, w by SGD, then clamped and renormalised.  All heads of one
feature matrix are one tensor.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from scipy.special import softmax
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
    # Classes stand before heads in every tensor of a batch, (b, C, S): sums over few classes are slow as the last axis.
    x = torch.from_numpy(features)
    p = torch.from_numpy(np.asarray(labels, np.float32)).permute(1, 2, 0).contiguous()  # (n, C, T)
    entropy, pools = -torch.special.xlogy(p, p).sum(1), _pools(rules, p.shape[2])
    weights = _starts(rules, pools)
    counts, agreed = _counted(kept, len(rules), len(x)), _agreed(p, rules)
    heads = torch.zeros(x.shape[1], p.shape[1] * len(rules))
    moments = torch.zeros(2, *heads.shape)
    easy = torch.tensor([round(rule.easy * len(order)) for rule in rules])
    descent = _Descent.of(rules)
    steps, step, found, path = order.shape[0] * -(-len(x) // batch_size), 0, [], [weights]
    for epoch, visited in enumerate(torch.from_numpy(order.astype(np.int64))):
        first = epoch < easy  # (S,)
        used = torch.where(first, counts & agreed, counts).float()  # (n, S)
        for rows in visited.split(batch_size):
            share = used[rows] / used[rows].sum(0).clamp_min(1)  # (b, S)
            logq = torch.log_softmax((x[rows] @ heads).view(len(rows), -1, len(rules)), 1)  # (b, C, S)
            told = targets(p[rows], weights, logq, rules, step / steps)
            slope = (logq.exp() - told) * share[:, None]
            moved = descent.step(p[rows], entropy[rows], weights, logq, share)
            weights = torch.where(first[:, None], weights, onto_simplex(weights - moved, pools))
            step += 1
            rate = learning_rate * (1 + np.cos(np.pi * (step - 1) / steps)) / 2
            _adam(heads, x[rows].T @ slope.view(len(rows), -1), moments, rate, step)
        path.append(weights)
        if epoch + 1 in snapshots:
            found.append(heads.view(x.shape[1], -1, len(rules)).permute(2, 0, 1).clone())
    return Fitted(torch.stack(found).numpy(), torch.stack(path).numpy())


def predict(features: Array, heads: Array) -> Array:
    """Probabilities in float64: (n, d) and (..., d, C) -> (..., n, C)."""
    return np.asarray(softmax(features.astype(np.float64) @ heads.astype(np.float64), axis=-1))


def targets(p: Tensor, weights: Tensor, logq: Tensor, rules: Sequence[Rule], done: float) -> Tensor:
    """What each head is told of a batch, (b, C, S): its mixture of teachers, and where asked for part of itself.

    p (b, C, T), weights (S, T), logq (b, C, S).  `confidence`: Burns et al. as the authors port it, hardened by argmax,
    warmed up linearly.  `adaptive`: the share is e^a / (e^a + e^b), a and b the student's cross-entropies with its own
    class and with the teacher's.
    """
    mixed = p @ weights.T
    for place, rule in enumerate(rules):
        if rule.auxiliary:
            said, own = mixed[..., place], logq[..., place].argmax(1, keepdim=True)
            hardened = torch.zeros_like(said).scatter_(1, own, 1.0)
            share: Tensor | float = AUXILIARY * min(1.0, done / WARM_UP)
            if rule.auxiliary == "adaptive":
                of_teacher = logq[..., place].gather(1, said.argmax(1, keepdim=True))
                share = torch.sigmoid(of_teacher - logq[..., place].gather(1, own))  # of a - b
            mixed[..., place] = (1 - share) * said + share * hardened
    return mixed


def onto_simplex(weights: Tensor, pools: Tensor) -> Tensor:
    """Clamped from below within each pool, zero outside it, renormalised: (S, T)."""
    weights = weights.clamp_min(LEAST) * pools
    return weights / weights.sum(1, keepdim=True)


def tempered(labels: Array, temperature: float) -> Array:
    """p^(1 / temperature), renormalised: (..., C)."""
    return np.asarray(softmax(np.log(np.maximum(labels, 1e-12)) / temperature, axis=-1))


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
    return torch.ones(samples, heads, dtype=torch.bool) if kept is None else torch.from_numpy(kept.T.copy())


def _agreed(p: Tensor, rules: Sequence[Rule]) -> Tensor:
    """Samples on whose class the whole pool agrees, (n, S)."""
    classes = p.argmax(1)
    each = [(classes[:, list(rule.pool)] == classes[:, [rule.pool[0]]]).all(1) for rule in rules]
    return torch.stack(each, dim=1)


class _Descent(NamedTuple):
    """How the weights of every head move, each (S, 1)."""

    rate: Tensor
    repair: Tensor
    normalised: Tensor

    @classmethod
    def of(cls, rules: Sequence[Rule]) -> "_Descent":
        """Those of some rules."""
        return cls(*(torch.tensor([[float(getattr(rule, name))] for rule in rules]) for name in cls._fields))

    def step(self, p: Tensor, entropy: Tensor, weights: Tensor, logq: Tensor, share: Tensor) -> Tensor:
        """Rate times the gradient of the batch's loss, (S, T)."""
        slope = -(logq * share[:, None]).flatten(0, 1).T @ p.flatten(0, 1)
        # The normaliser's part of the gradient: the loss itself, the same for every teacher.
        within = self.normalised * (weights * slope).sum(1, keepdim=True)
        return self.rate * (slope - within - self.repair * (share.T @ entropy))


def _adam(heads: Tensor, slope: Tensor, moments: Tensor, rate: float, step: int) -> None:
    first, second = moments
    first.lerp_(slope, 0.1)
    second.mul_(0.999).addcmul_(slope, slope, value=0.001)
    heads.sub_(rate * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt_().add_(1e-8)))
