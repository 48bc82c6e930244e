"""Softmax heads against torch step by step, solvers against their certificates and scipy."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import softmax as softmax_of

from pipeline.core import streams
from pipeline.models.softmax import heads as softmax
from pipeline.models.softmax import mixture
from pipeline.theory import classification_bounds as bounds
from pipeline.theory.divergence import DIVERGENCES, floored, mean

ADAMW = {"learning_rate": 0.01, "weight_decay": 0.01, "batch_size": 16}


def tasks(generator: np.random.Generator, count: int = 3, samples: int = 50, width: int = 5, classes: int = 4) -> tuple:
    features = generator.normal(size=(count, samples, width)).astype(np.float32)
    return features, softmax_of(generator.normal(0, 2, (count, samples, classes)), axis=-1)


def torch_adamw(
    features: np.ndarray, targets: np.ndarray, head: np.ndarray, orders: np.ndarray, loss: str
) -> np.ndarray:
    weights, bias = (torch.tensor(part, requires_grad=True) for part in (head[:-1], head[-1]))
    optimiser = torch.optim.AdamW([weights, bias], lr=0.01, weight_decay=0.01)
    x, y = torch.tensor(features), torch.tensor(targets, dtype=torch.float32)
    for batch in (torch.tensor(order[i : i + 16]).long() for order in orders for i in range(0, len(order), 16)):
        logarithm = torch.log_softmax(x[batch] @ weights + bias, -1)
        terms = -y[batch] * logarithm if loss == "cross_entropy" else logarithm.exp() * (logarithm - y[batch].log())
        optimiser.zero_grad()
        terms.sum(-1).mean().backward()
        optimiser.step()
    return torch.cat([weights, bias[None]]).detach().numpy()


@pytest.mark.parametrize("loss", ["cross_entropy", "reverse_kl"])
@pytest.mark.parametrize("shared", [True, False])
def test_adamw_follows_torch_and_keeps_snapshots(loss: str, shared: bool, generator: np.random.Generator) -> None:
    features, targets = tasks(generator, count=18)
    features = features[0] if shared else features
    initial, orders = softmax.initialise(generator, 18, 5, 4), streams.orders(generator, 4, 50)
    fitted = softmax.fit_adamw(features, targets, initial, orders, [0, 2, 4], loss=loss, **ADAMW)
    np.testing.assert_array_equal(fitted[0], initial)
    for task in (0, 17):
        x = features if shared else features[task]
        for taken, epochs in ((1, 2), (2, 4)):
            plain = torch_adamw(x, targets[task], initial[task], orders[:epochs], loss)
            np.testing.assert_allclose(fitted[taken, task], plain, rtol=1e-5, atol=1e-6)


def test_the_exponential_is_that_of_numpy() -> None:
    from pipeline.models.softmax.kernels import exponential

    values = np.linspace(-87, 0, 5001, dtype=np.float32)
    np.testing.assert_allclose([exponential(x) for x in values], np.exp(values.astype(np.float64)), rtol=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", "reverse_kl", "jensen_shannon", "squared_hellinger", "jeffreys"])
def test_exact_heads_are_stationary(loss: str, generator: np.random.Generator) -> None:
    features, targets = tasks(generator)
    solved = softmax.fit_exact(features, targets, loss=loss, min_active=1, tolerance=1e-9, max_steps=200)
    assert solved.residual.max() < 1e-8
    design = np.concatenate([features[0], np.ones((50, 1))], axis=1).astype(np.float64)

    def value(flat: np.ndarray) -> float:
        return DIVERGENCES[loss].value(targets[0], softmax_of(design @ flat.reshape(6, 4), axis=-1)).mean()

    best = minimize(value, solved.heads[0].ravel(), method="BFGS")
    assert value(solved.heads[0].ravel()) <= best.fun + 1e-7
    if loss == "cross_entropy":  # convex: the optimum from anywhere
        assert value(solved.heads[0].ravel()) <= minimize(value, np.zeros(24), method="BFGS").fun + 1e-7


def test_exact_heads_start_where_they_are_told(generator: np.random.Generator) -> None:
    features, targets = tasks(generator)
    options = {"loss": "reverse_kl", "min_active": 1, "tolerance": 1e-9, "max_steps": 100}
    solved = softmax.fit_exact(features, targets, **options)
    again = softmax.fit_exact(features, targets, initial=solved.heads, **options)
    assert again.steps <= 2
    np.testing.assert_allclose(again.heads, solved.heads, rtol=1e-5, atol=1e-6)


def test_rare_units_stay_out(generator: np.random.Generator) -> None:
    features, targets = tasks(generator)
    features[:, 3:, 2] = 0
    solved = softmax.fit_exact(features, targets, loss="cross_entropy", min_active=4, tolerance=1e-9, max_steps=50)
    assert (solved.heads[:, 2] == 0).all() and solved.residual.max() < 1e-8


def test_the_dual_equality_on_solved_heads(generator: np.random.Generator) -> None:
    features, teacher = tasks(generator, samples=200, classes=3)
    truth = softmax.predict(features, generator.normal(size=(3, 6, 3)))
    solved = softmax.fit_exact(features, teacher, loss="cross_entropy", min_active=1, tolerance=1e-10, max_steps=50)
    found = bounds.gain("forward", truth, teacher, softmax.predict(features, solved.heads))
    np.testing.assert_allclose(found.gain, found.misfit, atol=1e-8)


@pytest.mark.parametrize("loss", [name for name in DIVERGENCES if name != "total_variation"])
def test_projections_on_mixtures_are_certified(loss: str, generator: np.random.Generator) -> None:
    experts = floored(softmax_of(generator.normal(0, 2, (6, 80, 5, 3)), axis=-1), 0.001)
    teacher = floored(softmax_of(generator.normal(0, 2, (6, 80, 3)), axis=-1), 0.001)
    solved = mixture.project(experts, teacher, loss=loss, tolerance=1e-9, max_steps=100)
    assert solved.gap.max() <= 1e-9 and np.allclose(solved.weights.sum(axis=1), 1) and (solved.weights >= 0).all()
    reached = mean(loss, teacher, mixture.mix(experts, solved.weights))
    for weights in generator.dirichlet(np.ones(5), size=(200, 6)):
        assert (mean(loss, teacher, mixture.mix(experts, weights)) >= reached - 1e-9).all()
    truth = mixture.mix(experts, generator.dirichlet(np.ones(5), size=6))
    found = bounds.gain("reverse", truth, teacher, mixture.mix(experts, solved.weights))
    if loss == "reverse_kl":
        assert (found.gain >= found.misfit - 1e-6).all()
    if loss == "forward_kl":
        assert (found.gain >= -1e-6).all()


def test_a_truth_that_is_a_mixture_is_found(generator: np.random.Generator) -> None:
    experts = floored(softmax_of(generator.normal(0, 2, (2, 300, 4, 3)), axis=-1), 0.001)
    weights = generator.dirichlet(np.ones(4), size=2)
    solved = mixture.project(experts, mixture.mix(experts, weights), loss="reverse_kl", tolerance=1e-12, max_steps=200)
    np.testing.assert_allclose(solved.weights, weights, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "hinge"}, "loss 'hinge' is not known"),
        ({"snapshots": [3, 2]}, r"snapshots are \[3, 2\]"),
        ({"snapshots": [9]}, r"snapshots are \[9\]; expected rising epochs from 0 to 4"),
        ({"targets": np.full((3, 50, 4), 0.3)}, "does not sum to 1"),
        ({"features": np.zeros((3, 49, 5))}, r"features have shape \(3, 49, 5\)"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_bad_input_is_refused(changes: dict, message: str, generator: np.random.Generator) -> None:
    features, targets = tasks(generator)
    given = {"features": features, "targets": targets, "initial": softmax.initialise(generator, 3, 5, 4)}
    given |= {"orders": streams.orders(generator, 4, 50), "snapshots": [4], "loss": "cross_entropy", **ADAMW, **changes}
    with pytest.raises(ValueError, match=message):
        softmax.fit_adamw(**given)


def test_reverse_kl_needs_a_floor(generator: np.random.Generator) -> None:
    features, _ = tasks(generator)
    hard = np.eye(4)[generator.integers(4, size=(3, 50))]
    given = (features, hard, softmax.initialise(generator, 3, 5, 4), streams.orders(generator, 1, 50), [1])
    with pytest.raises(ValueError, match="needs a floor"):
        softmax.fit_adamw(*given, loss="reverse_kl", **ADAMW)
    with pytest.raises(ValueError, match="put a floor"):
        mixture.project(np.ones((3, 50, 2, 4)) / 4, hard, loss="reverse_kl", tolerance=1e-9, max_steps=5)
    with pytest.raises(ValueError, match="'hinge' is not known"):
        mixture.project(np.ones((3, 50, 2, 4)) / 4, np.ones((3, 50, 4)) / 4, loss="hinge", tolerance=1e-9, max_steps=5)
