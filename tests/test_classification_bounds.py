"""B-1 to B-5 as properties; constants against a search."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax, rel_entr, softmax

from pipeline.theory import classification_bounds as bounds
from pipeline.theory.divergence import floored, mean

SEEDS = st.integers(0, 10**6)


def drawn(seed: int, *shape: int, scale: float = 2.0) -> np.ndarray:
    return softmax(np.random.default_rng(seed).normal(0, scale, shape), axis=-1)


def test_hand_values() -> None:
    truth, teacher, student = [[0.5, 0.5]], [[0.2, 0.8]], [[0.4, 0.6]]
    found = bounds.gain("reverse", truth, teacher, student)
    np.testing.assert_allclose(found.gain, 0.5 * np.log(0.4 / 0.2) + 0.5 * np.log(0.6 / 0.8))
    np.testing.assert_allclose(found.misfit, 0.4 * np.log(2) + 0.6 * np.log(0.75))
    np.testing.assert_allclose(found.cross_term, -0.1 * np.log(2) + 0.1 * np.log(0.75))
    assert bounds.lipschitz_constant(0.1, 2) == pytest.approx(14.1421356)
    assert bounds.generalization_bound(0.25, 2.0) == 1 and bounds.tightness(-0.5, 2.0) == 0.25
    assert bounds.calibration_width(0.0) == 0 and bounds.calibration_width(np.log(2)) == pytest.approx(np.sqrt(2))
    assert np.isnan(bounds.tightness(0.0, 0.0))


@given(SEEDS, st.sampled_from(bounds.DIRECTIONS))
def test_misfit_minus_gain_is_the_cross_term(seed: int, direction: str) -> None:
    found = bounds.gain(direction, *drawn(seed, 3, 2, 11, 4))
    np.testing.assert_allclose(found.misfit - found.gain, found.cross_term, atol=1e-12)


@given(SEEDS, st.integers(2, 5), st.floats(0.001, 0.9), st.floats(0.1, 10))
def test_b1_for_kl_and_cross_entropy(seed: int, classes: int, share: float, scale: float) -> None:
    gamma = share / classes
    truth = drawn(seed, 12, classes, scale=scale)
    teacher, student = floored(drawn(seed + 1, 2, 12, classes, scale=scale), gamma)
    disagreement = mean("forward_kl", teacher, student)
    for risk in ("forward_kl", "cross_entropy"):
        difference = mean(risk, truth, student) - mean(risk, truth, teacher)
        for constant in (bounds.sharp_constant(gamma, classes), bounds.lipschitz_constant(gamma, classes)):
            assert abs(difference) <= bounds.generalization_bound(disagreement, constant) + 1e-12
    reverse = mean("reverse_kl", floored(truth, gamma), student) - mean("reverse_kl", floored(truth, gamma), teacher)
    assert abs(reverse) <= bounds.generalization_bound(disagreement, bounds.reversed_constant(gamma, classes)) + 1e-12


@pytest.mark.parametrize(("gamma", "recalled"), [(1e-3, 44.6), (1e-2, 13.8), (0.05, 5.8), (0.2, 2.12)])
def test_sharp_constants_are_suprema(gamma: float, recalled: float) -> None:
    grid = np.concatenate([gamma * np.array([1, 1 + 1e-4]), np.linspace(gamma, 1 - gamma, 800)[1:]])
    a, b = np.meshgrid(grid, grid)
    distance = rel_entr(a, b) + rel_entr(1 - a, 1 - b)
    apart = distance > 1e-13
    first, second = np.log(a / b)[apart], np.log((1 - a) / (1 - b))[apart]
    found = np.max(np.abs(first) / np.sqrt(distance[apart]))
    floored_truth = np.max(np.abs((1 - gamma) * first + gamma * second) / np.sqrt(distance[apart]))
    np.testing.assert_allclose(found, bounds.sharp_constant(gamma, 2), rtol=2e-3)
    assert found <= bounds.sharp_constant(gamma, 2) * (1 + 1e-6)
    np.testing.assert_allclose(floored_truth, bounds.sharp_constant_floored_truth(gamma), rtol=2e-3)
    np.testing.assert_allclose(bounds.sharp_constant_floored_truth(gamma), recalled, rtol=0.01)


def test_three_classes_do_not_beat_the_sharp_constant() -> None:
    gamma, worst = 0.02, 0.0
    for seed in range(200):
        a, b = floored(drawn(seed, 2, 40, 3, scale=4.0), gamma)
        ratio = np.abs(np.log(a / b)).max(axis=-1) / np.sqrt(rel_entr(a, b).sum(axis=-1))
        worst = max(worst, ratio.max())
    assert 0.5 * bounds.sharp_constant(gamma, 3) < worst <= bounds.sharp_constant(gamma, 3)


def project(experts: np.ndarray, teacher: np.ndarray, direction: str) -> np.ndarray:
    """Mixture of experts (E, n, k) nearest to the teacher: exponentiated gradient on the weights, many plain steps."""
    weights = np.full(len(experts), 1 / len(experts))
    for _ in range(4000):
        student = np.tensordot(weights, experts, 1)
        slope = np.log(student / teacher) + 1 if direction == "reverse" else -teacher / student
        gradient = np.mean(np.sum(experts * slope, axis=-1), axis=-1)
        weights = weights * np.exp(-0.5 * (gradient - gradient.min()))
        weights /= weights.sum()
    return np.tensordot(weights, experts, 1)


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_pythagorean_inequality_on_a_convex_class(seed: int) -> None:
    """B-4: reverse KL gives gain >= misfit; forward KL gives gain >= 0; off the class the B-5 allowance is enough."""
    gamma, stream = 0.01, np.random.default_rng(seed)
    experts, teacher = floored(drawn(seed, 4, 15, 3), gamma), floored(drawn(seed + 1, 15, 3), gamma)
    truth = np.tensordot(stream.dirichlet(np.ones(4)), experts, 1)
    student = project(experts, teacher, "reverse")
    reverse = bounds.gain("reverse", truth, teacher, student)
    assert reverse.cross_term <= 1e-4 and reverse.gain >= reverse.misfit - 1e-4
    assert bounds.gain("reverse", truth, teacher, project(experts, teacher, "forward")).gain >= -1e-4
    outside = floored(0.9 * truth + 0.1 * drawn(seed + 2, 15, 3), gamma)
    epsilon, off = mean("forward_kl", outside, truth), bounds.gain("reverse", outside, teacher, student)
    assert off.gain >= bounds.kl_gain_lower_bound(off.misfit, epsilon, gamma, 3) - 1e-4


def test_forward_kl_on_a_convex_class_can_gain_less_than_its_misfit() -> None:
    """Two classes; the truth is the end of the class nearest to the teacher, so the student is the truth."""
    truth = student = np.array([[0.01, 0.99]])
    found = bounds.gain("reverse", truth, np.array([[0.5, 0.5]]), student)
    np.testing.assert_allclose(found.gain, 0.01 * np.log(0.01 / 0.5) + 0.99 * np.log(0.99 / 0.5))
    assert mean("forward_kl", [[0.5, 0.5]], student) > found.gain  # 1.614 > 0.637


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_dual_equality_of_softmax_regression(seed: int) -> None:
    """Realizable forward cross-entropy: gain = misfit in the forward direction."""
    stream = np.random.default_rng(seed)
    features = np.column_stack([stream.normal(size=(60, 3)), np.ones(60)])
    truth, teacher = softmax(features @ stream.normal(size=(4, 3)), axis=-1), drawn(seed, 60, 3, scale=1.0)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        logits = features @ flat.reshape(4, 3)
        slope = features.T @ (softmax(logits, axis=-1) - teacher) / 60
        return -np.mean(np.sum(teacher * log_softmax(logits, axis=-1), axis=-1)), slope.ravel()

    best = minimize(loss, np.zeros(12), jac=True, method="BFGS", options={"gtol": 1e-9})
    student = softmax(features @ best.x.reshape(4, 3), axis=-1)
    found = bounds.gain("forward", truth, teacher, student)
    np.testing.assert_allclose(found.gain, found.misfit, atol=1e-6)


def test_finite_sample_term_shrinks_with_the_fourth_root() -> None:
    term = [bounds.finite_sample_term(2.0, n, 0.05, 0.01, 3, 1.0) for n in (100, 1600)]
    np.testing.assert_allclose(term[0], 2 * term[1])
    hand = np.sqrt(2) * 0.02**0.25 + np.sqrt(np.log(100)) * (np.log(20) / 200) ** 0.25
    np.testing.assert_allclose(term[0], hand)
    assert bounds.mixture_complexity(10, 3, 0.1) == pytest.approx(4 * 9 * np.log(10) / 0.01)
    assert bounds.softmax_complexity(2.0, 3.0, 4) == 48**2


def test_the_rademacher_bound_of_softmax_heads_holds(generator: np.random.Generator) -> None:
    """Monte Carlo over signs and random heads of bounded norm stays below sqrt(c / n)."""
    features, teacher, norm = generator.normal(size=(50, 4)), drawn(1, 50, 3), 1.5
    heads = generator.normal(size=(400, 4, 3))
    heads *= norm / np.linalg.norm(heads, axis=1, keepdims=True)
    losses = -np.einsum("nk,mnk->mn", teacher, log_softmax(features @ heads, axis=-1))
    signs = generator.choice([-1, 1], size=(200, 50))
    complexity = (signs @ losses.T / 50).max(axis=1).mean()
    norms = bounds.softmax_complexity(norm, np.sqrt(np.mean(np.sum(features**2, axis=1))), 3)
    assert complexity <= np.sqrt(norms / 50)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bounds.lipschitz_constant(0.4, 3), "gamma is 0.4; a floor for 3 classes"),
        (lambda: bounds.gain("up", [[0.5, 0.5]], [[0.5, 0.5]], [[0.5, 0.5]]), "direction is 'up'; choose from reverse"),
        (lambda: bounds.generalization_bound(-1.0, 1.0), "disagreement is -1"),
        (lambda: bounds.finite_sample_term(1.0, 10, 1.5, 0.1, 2, 1.0), "delta 1.5"),
    ],
)
def test_bad_values_are_refused(call: Callable[..., object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
