"""Losses against three-line references, heads against torch's own AdamW, PGR against hand values."""

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy as bce
from torch.nn.functional import binary_cross_entropy_with_logits as bce_logits

from pipeline.core import streams
from pipeline.experiments.preferences.common import recovery
from pipeline.language import heads
from pipeline.language.losses import FLOOR, LOSSES, OF_THE_BATCH, by_name

Tensor = torch.Tensor


def two(p: Tensor) -> Tensor:
    return torch.stack([p, 1 - p])


def floored(p: Tensor) -> Tensor:
    return FLOOR + (1 - 2 * FLOOR) * p


def kl(a: Tensor, b: Tensor) -> Tensor:
    return (two(a) * (two(a) / two(b)).log()).sum(0)


def hardened(p: Tensor, y: Tensor, weight: float) -> Tensor:
    """Mixed targets one head at a time: as many ones as the weak labels' mean says, the most confident first."""
    target = y.clone()
    for head in range(y.shape[1]):
        ones = set(p[:, head].argsort(descending=True)[: round(float(y[:, head].sum()))].tolist())
        hard = torch.tensor([float(row in ones) for row in range(len(y))])
        target[:, head] = (1 - weight) * y[:, head] + weight * hard
    return target


def adaptive(p: Tensor, y: Tensor, threshold: Tensor) -> Tensor:
    reverse = bce(floored(y), p, reduction="none")
    return torch.where((y - 0.5).abs() >= threshold, bce(p, y, reduction="none"), reverse)


def product_target(p: Tensor, y: Tensor) -> Tensor:
    both = two(p) * two(y)
    return both[0] / both.sum(0)


REFERENCES = {
    "cross_entropy": lambda p, y: bce(p, y, reduction="none"),
    "forward_kl": lambda p, y: kl(y, p),
    "reverse_kl": lambda p, y: kl(p, floored(y)),
    "reverse_cross_entropy": lambda p, y: bce(floored(y), p, reduction="none"),
    "jensen_shannon": lambda p, y: (
        (kl(floored(p), (floored(p) + floored(y)) / 2) + kl(floored(y), (floored(p) + floored(y)) / 2)) / 2
    ),
    "jeffreys": lambda p, y: kl(floored(y), p) + kl(p, floored(y)),
    "squared_hellinger": lambda p, y: (two(floored(p)).sqrt() - two(floored(y)).sqrt()).square().sum(0) / 2,
    "chi_square": lambda p, y: ((two(y) - two(floored(p))).square() / two(floored(p))).sum(0),
    "total_variation": lambda p, y: (two(p) - two(y)).abs().sum(0) / 2,
    "label_smoothing": lambda p, y: bce(p, 0.9 * y + 0.05, reduction="none"),
    "symmetric": lambda p, y: bce(p, y, reduction="none") + 0.1 * bce(floored(y), p, reduction="none"),
    "confidence_adaptive": lambda p, y: adaptive(p, y, torch.tensor(0.1)),
    "confidence_adaptive_median": lambda p, y: adaptive(p, y, (y - 0.5).abs().median(dim=0).values),
    "confidence": lambda p, y: bce(p, hardened(p, y, 0.5 * 0.05 / 0.2), reduction="none"),
    "confidence_jump": lambda p, y: bce(p, hardened(p, y, 0.5 * 0.05), reduction="none"),
    "product": lambda p, y: bce(p, product_target(p, y), reduction="none"),
}


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(0)
    return torch.randn(9, 3, generator=stream).double(), torch.rand(9, 3, generator=stream).double()


def test_every_loss_has_a_reference() -> None:
    assert set(REFERENCES) == set(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_follows_its_reference(name: str, batch: tuple[Tensor, Tensor]) -> None:
    logits, labels = batch
    found = by_name(name)(logits, labels, 0.05)
    torch.testing.assert_close(found, REFERENCES[name](torch.sigmoid(logits), labels), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_finite_on_hard_labels_and_sure_students(name: str) -> None:
    logits = torch.tensor([[40.0], [-40.0], [0.0], [3.0]], requires_grad=True)
    loss = by_name(name)(logits, torch.tensor([[0.0], [1.0], [1.0], [0.0]]), 0.5).mean()
    (slope,) = torch.autograd.grad(loss, logits)
    assert torch.isfinite(loss) and torch.isfinite(slope).all()


def test_the_confidence_term_rises_linearly_and_the_public_codes_jumps() -> None:
    logits, labels = torch.tensor([[2.0], [-1.0], [0.5]]), torch.tensor([[0.4], [0.7], [0.6]])
    plain, rising = by_name("cross_entropy")(logits, labels, 0.0), by_name("confidence")
    change = [float((rising(logits, labels, done) - plain).abs().sum()) for done in (0.0, 0.1, 0.2, 0.6)]
    assert change[0] == 0 and change[1] == pytest.approx(change[2] / 2) and change[3] == pytest.approx(change[2])
    jump = [float((by_name("confidence_jump")(logits, labels, done) - plain).abs().sum()) for done in (0.1, 0.11)]
    assert jump[1] == pytest.approx(10 * jump[0], rel=1e-4)


def test_an_unknown_loss_lists_the_known() -> None:
    with pytest.raises(ValueError, match="'focal' is not known; choose from cross_entropy"):
        by_name("focal")


def test_heads_together_are_torchs_adamw_one_by_one(generator: np.random.Generator) -> None:
    x, y = generator.normal(size=(30, 5)).astype(np.float32), generator.random((30, 2)).astype(np.float32)
    order = streams.orders(generator, 3, 30)
    found = heads.fit(x, y, ["cross_entropy", "reverse_kl"], np.array([0.01, 0.03]), order, [1, 3], 8, 0.1)
    for place, (loss, rate) in enumerate((("cross_entropy", 0.01), ("reverse_kl", 0.03))):
        weight = torch.zeros(5, 1, requires_grad=True)
        optimiser = torch.optim.AdamW([weight], lr=rate, weight_decay=0.1)
        for rows in (rows for epoch in torch.from_numpy(order.astype(np.int64)) for rows in epoch.split(8)):
            optimiser.zero_grad()
            by_name(loss)(
                torch.from_numpy(x)[rows] @ weight, torch.from_numpy(y)[rows, place, None], 0.0
            ).mean().backward()
            optimiser.step()
        np.testing.assert_allclose(found[-1][:, place], weight.detach().numpy()[:, 0], rtol=2e-4, atol=1e-6)


def test_cross_entropy_heads_reach_the_logistic_optimum(generator: np.random.Generator) -> None:
    x = generator.normal(size=(200, 3)).astype(np.float32)
    y = (generator.random(200) < 1 / (1 + np.exp(-x @ [1.0, -2.0, 0.5]))).astype(np.float32)
    fitted = heads.fit(
        x, y[:, None], ["cross_entropy"], np.array([0.05]), streams.orders(generator, 300, 200), [300], 200, 0.0
    )
    slope = bce_slope(torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(fitted[0][:, 0]))
    assert slope.abs().max() < 5e-3


def bce_slope(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    weight = weight.clone().requires_grad_()
    return torch.autograd.grad(bce_logits(x @ weight, y), weight)[0]


def test_pgr_by_hand_and_its_rule(generator: np.random.Generator) -> None:
    rows = 1000
    truth = np.arange(rows)
    weak, student, ceiling = truth < 600, truth < 700, truth < 800
    drawn = recovery.weights(rows, 200, generator)
    np.testing.assert_allclose(drawn.sum(axis=1), 1, rtol=1e-5)
    found = recovery.recovered(weak[None], student[None], ceiling[None], drawn, 0.95)
    assert found.pgr[0] == pytest.approx(0.5) and found.low[0] < 0.5 < found.high[0]
    nothing = recovery.recovered(weak[None], student[None], (truth < 601)[None], drawn, 0.95)
    assert np.isnan(nothing.pgr[0]) and not nothing.defined[0] and np.isfinite(nothing.gain_error[0])
    below = recovery.recovered(weak[None], student[None], (truth < 500)[None], drawn, 0.95)
    assert np.isnan(below.pgr[0])


@pytest.mark.parametrize("name", LOSSES)
def test_only_losses_of_the_batch_look_at_other_rows(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(8, 3, generator=generator), torch.rand(8, 3, generator=generator)
    whole = by_name(name)(logits, labels, 0.5)
    halves = torch.cat([by_name(name)(logits[rows], labels[rows], 0.5) for rows in (slice(0, 4), slice(4, 8))])
    assert torch.allclose(whole, halves) == (name not in OF_THE_BATCH)
