"""Pools of teachers: the batched heads against autograd, corruptions by hand, what RAVEN does to a pool, bad input."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from pipeline.core import experiments
from pipeline.core.errors import InputError
from pipeline.experiments.shift import plans
from pipeline.experiments.shift.data import scaled
from pipeline.models import corruptions
from pipeline.models.softmax import pooled
from pipeline.models.softmax.pooled import Rule

RATE = 0.05
RULES = (
    Rule((0,)),
    Rule((0, 1, 2), 0.1),
    Rule((0, 1, 2), 0.1, easy=0.5),
    Rule((0, 2), 0.1, repair=True, start=(0.7, 0.3)),
    Rule((0, 1, 2), 0.1, normalised=True),
    Rule((0, 1), auxiliary="confidence"),
    Rule((1, 2), auxiliary="adaptive"),
)


def drawn(generator: np.random.Generator, samples: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 5) and labels of three teachers (3, n, 4)."""
    return generator.normal(size=(samples, 5)).astype(np.float32), generator.dirichlet(np.ones(4), (3, samples))


def plain(x: torch.Tensor, p: torch.Tensor, rule: Rule, order: np.ndarray, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """One head and its weights by torch's own optimisers, one backward pass for both."""
    head = torch.zeros(x.shape[1], p.shape[2], requires_grad=True)
    first = rule.start or [1 / len(rule.pool)] * len(rule.pool)
    w = torch.tensor(first, requires_grad=True)
    steps = order.shape[0] * -(-len(x) // batch)
    adam, sgd = torch.optim.Adam([head], lr=RATE), torch.optim.SGD([w], lr=rule.rate)
    cosine, step = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps), 0
    for epoch, visited in enumerate(order):
        easy = epoch < round(rule.easy * len(order))
        for rows in torch.from_numpy(visited.astype(np.int64)).split(batch):
            told = p[list(rule.pool)][:, rows]
            if easy:
                classes = told.argmax(-1)
                agreed = (classes == classes[0]).all(0)
                rows, told = rows[agreed], told[:, agreed]
            logq = torch.log_softmax(x[rows] @ head, -1)
            target = (w[:, None, None] * told).sum(0)
            if rule.normalised:
                target = target / target.sum(-1, keepdim=True)
            with torch.no_grad():
                own = torch.eye(p.shape[2])[logq.argmax(-1)]
                a = -(own * logq).sum(-1, keepdim=True)
                b = -(torch.eye(p.shape[2])[target.argmax(-1)] * logq).sum(-1, keepdim=True)
                share = {
                    "": torch.zeros_like(a),
                    "confidence": torch.full_like(a, 0.5 * min(1.0, step / steps / 0.2)),
                    "adaptive": a.exp() / (a.exp() + b.exp()),
                }[rule.auxiliary]
            target = (1 - share) * target + share * own
            loss = -(target * logq).sum(-1).sum() / max(len(rows), 1)
            adam.zero_grad(), sgd.zero_grad()
            loss.backward()
            if rule.repair:
                w.grad -= -(told * told.log()).sum(-1).mean(-1)
            adam.step(), cosine.step()
            step += 1
            if not easy:
                sgd.step()
                with torch.no_grad():
                    w.copy_(w.clamp_min(1e-6) / w.clamp_min(1e-6).sum())
    return head.detach().numpy(), w.detach().numpy()


def test_batched_heads_and_weights_follow_autograd(generator: np.random.Generator) -> None:
    x, p = drawn(generator)
    order = np.stack([generator.permutation(30) for _ in range(4)])
    found = pooled.fit(x, p, RULES, order, [4], batch_size=8, learning_rate=RATE)
    for place, rule in enumerate(RULES):
        head, weights = plain(torch.from_numpy(x), torch.from_numpy(p).float(), rule, order, 8)
        np.testing.assert_allclose(found.heads[0, place], head, atol=2e-5, err_msg=f"{rule}")
        np.testing.assert_allclose(found.weights[-1, place, list(rule.pool)], weights, atol=2e-5, err_msg=f"{rule}")
    np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-6)


if __name__ == "__main__":
    test_batched_heads_and_weights_follow_autograd(np.random.default_rng(0))
