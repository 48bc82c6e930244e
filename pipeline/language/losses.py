"""Losses of a student on weak labels, by name.  A loss takes logits and labels of a whole batch.

logits and labels have shape (batch, heads): the log-odds of class 1 and the teacher's probability of it; the result
has the same shape.  `done` is the share of training behind.  Labels may be hard; where a loss takes their logarithm
they are floored by FLOOR, as the divergences measured afterwards.  Thresholds are those of the whole batch, never of a
micro-batch.  Papers: "B" Yao et al. 2025, "reverse" 2502.11107, "f" 2506.03109, "Bregman" 2505.24313, Burns et al.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

Loss = Callable[[Tensor, Tensor, float], Tensor]
FLOOR = 0.001
CONFIDENT = 0.1  # |y - 1/2| from which the confidence-adaptive loss trusts a label (Bregman's code)
SMOOTHING = 0.1
REVERSE_SHARE = 0.1  # of the symmetric loss (Bregman's code)
AUXILIARY = 0.5  # largest weight of the confidence term (Burns et al.; 0.75 for their largest students)
WARM_UP, JUMP = 0.2, 0.1


def by_name(name: str) -> Loss:
    """Loss of the registry.  Raises ValueError that lists the known names."""
    if name not in LOSSES:
        raise ValueError(f"loss '{name}' is not known; choose from {', '.join(LOSSES)}")
    return LOSSES[name]


def cross_entropy(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """-y log p - (1 - y) log(1 - p): ordinary distillation."""
    return -labels * logsigmoid(logits) - (1 - labels) * logsigmoid(-logits)


def forward_kl(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """KL(teacher, student) = cross-entropy - entropy of the label: the same gradients."""
    entropy = -torch.special.xlogy(labels, labels) - torch.special.xlogy(1 - labels, 1 - labels)
    return cross_entropy(logits, labels, done) - entropy


def reverse_kl(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """KL(student, teacher) (reverse)."""
    p, y = torch.sigmoid(logits), _floored(labels)
    return p * (logsigmoid(logits) - y.log()) + (1 - p) * (logsigmoid(-logits) - (1 - y).log())


def reverse_cross_entropy(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """-p log y - (1 - p) log(1 - y): linear in the student's probability (reverse, Bregman)."""
    p, y = torch.sigmoid(logits), _floored(labels)
    return -p * y.log() - (1 - p) * (1 - y).log()


def jensen_shannon(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """Mean KL of both from their midpoint (f)."""
    p, y = _floored(torch.sigmoid(logits)), _floored(labels)
    return (_kl(p, (p + y) / 2) + _kl(y, (p + y) / 2)) / 2


def jeffreys(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """KL in both directions, summed (f)."""
    return forward_kl(logits, _floored(labels), done) + reverse_kl(logits, labels, done)


def squared_hellinger(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """1 - sqrt(p y) - sqrt((1 - p)(1 - y)) (f)."""
    p, y = _floored(torch.sigmoid(logits)), _floored(labels)
    return 1 - (p * y).sqrt() - ((1 - p) * (1 - y)).sqrt()


def chi_square(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """Pearson's (y - p)^2 / p + (y - p)^2 / (1 - p), the student floored: its gradient has no bound otherwise (f)."""
    p = _floored(torch.sigmoid(logits))
    return (labels - p).square() / (p * (1 - p))


def total_variation(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """|p - y| (f, in theory)."""
    return (torch.sigmoid(logits) - labels).abs()


def label_smoothing(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """Cross-entropy on labels drawn towards 1/2."""
    return cross_entropy(logits, labels * (1 - SMOOTHING) + SMOOTHING / 2, done)


def symmetric(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """Cross-entropy plus a tenth of its reverse (Bregman)."""
    return cross_entropy(logits, labels, done) + REVERSE_SHARE * reverse_cross_entropy(logits, labels, done)


def confidence_adaptive(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """Cross-entropy where the teacher is confident, its reverse elsewhere (Bregman's CACE)."""
    return _adaptive(logits, labels, done, torch.full_like(labels[:1], CONFIDENT))


def confidence_adaptive_median(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """The same, confident meaning above the batch's median (Bregman's Quan_CACE_5)."""
    return _adaptive(logits, labels, done, (labels - 0.5).abs().median(dim=0, keepdim=True).values)


def confidence(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """Burns et al.: part of the target is the student's own hardened prediction, its weight rising linearly."""
    return _auxiliary(logits, labels, AUXILIARY * min(1.0, done / WARM_UP))


def confidence_jump(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """As in the public code of Burns et al.: the weight rises to a tenth of its end, then jumps."""
    return _auxiliary(logits, labels, AUXILIARY * (done if done <= JUMP else 1.0))


def product(logits: Tensor, labels: Tensor, done: float) -> Tensor:
    """Cross-entropy to the normalised product of teacher and (detached) student (public code of Burns et al.)."""
    p = torch.sigmoid(logits).detach()
    both, neither = p * labels, (1 - p) * (1 - labels)
    return cross_entropy(logits, both / (both + neither).clamp_min(1e-12), done)


def _adaptive(logits: Tensor, labels: Tensor, done: float, threshold: Tensor) -> Tensor:
    trusted = (labels - 0.5).abs() >= threshold
    return torch.where(trusted, cross_entropy(logits, labels, done), reverse_cross_entropy(logits, labels, done))


def _auxiliary(logits: Tensor, labels: Tensor, weight: float) -> Tensor:
    # As many hardened labels are 1 as the weak labels' mean says: the threshold is that quantile of the batch.
    p = torch.sigmoid(logits).detach()
    rank = p.argsort(dim=0, descending=True).argsort(dim=0)
    hard = (rank < (labels.mean(dim=0, keepdim=True) * len(labels)).round()).to(labels.dtype)
    return cross_entropy(logits, (1 - weight) * labels + weight * hard, 0.0)


def _floored(probabilities: Tensor) -> Tensor:
    return FLOOR + (1 - 2 * FLOOR) * probabilities


def _kl(first: Tensor, second: Tensor) -> Tensor:
    return first * (first / second).log() + (1 - first) * ((1 - first) / (1 - second)).log()


LOSSES: dict[str, Loss] = {
    function.__name__: function
    for function in (
        cross_entropy,
        forward_kl,
        reverse_kl,
        reverse_cross_entropy,
        jensen_shannon,
        jeffreys,
        squared_hellinger,
        chi_square,
        total_variation,
        label_smoothing,
        symmetric,
        confidence_adaptive,
        confidence_adaptive_median,
        confidence,
        confidence_jump,
        product,
    )
}
# Those whose threshold is a quantile of the batch, so that they need the logits of all its rows at once.
OF_THE_BATCH = ("confidence_adaptive_median", "confidence", "confidence_jump")
