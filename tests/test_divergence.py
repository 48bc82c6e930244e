"""Each divergence against a hand value, scipy, its limits and its slope."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance
from scipy.special import softmax

from pipeline.theory import divergence
from pipeline.theory.divergence import DIVERGENCES

SEEDS = st.integers(0, 10**6)
P, Q = [[0.5, 0.5]], [[0.25, 0.75]]
HAND = {
    "forward_kl": 0.5 * np.log(2) + 0.5 * np.log(2 / 3),
    "reverse_kl": 0.25 * np.log(1 / 2) + 0.75 * np.log(3 / 2),
    "cross_entropy": np.log(4) / 2 + np.log(4 / 3) / 2,
    "jensen_shannon": (0.5 * np.log(4 / 3) + 0.5 * np.log(4 / 5) + 0.25 * np.log(2 / 3) + 0.75 * np.log(6 / 5)) / 2,
    "jeffreys": 0.25 * np.log(3),
    "squared_hellinger": 1 - np.sqrt(1 / 8) - np.sqrt(3 / 8),
    "chi_square": 1 / 4 + 1 / 12,
    "total_variation": 0.25,
}


def drawn(seed: int, *shape: int, scale: float = 2.0) -> np.ndarray:
    return softmax(np.random.default_rng(seed).normal(0, scale, shape), axis=-1)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_hand_values(name: str) -> None:
    np.testing.assert_allclose(divergence.mean(name, P, Q), HAND[name], rtol=1e-12)


@given(SEEDS)
def test_against_scipy(seed: int) -> None:
    p, q = drawn(seed, 2, 1, 4)
    assert np.isclose(divergence.mean("forward_kl", p, q), stats.entropy(p[0], q[0]))
    assert np.isclose(divergence.mean("reverse_kl", p, q), stats.entropy(q[0], p[0]))
    cross = divergence.mean("forward_kl", p, q) + stats.entropy(p[0])
    assert np.isclose(divergence.mean("cross_entropy", p, q), cross)
    assert np.isclose(divergence.mean("jensen_shannon", p, q), distance.jensenshannon(p[0], q[0]) ** 2)
    assert np.isclose(divergence.mean("chi_square", p, q), stats.chisquare(p[0], q[0]).statistic)
    assert np.isclose(divergence.mean("total_variation", p, q), distance.cityblock(p[0], q[0]) / 2)
    hellinger = distance.euclidean(np.sqrt(p[0]), np.sqrt(q[0])) ** 2 / 2
    assert np.isclose(divergence.mean("squared_hellinger", p, q), hellinger)


@given(SEEDS)
def test_inequalities_between_them(seed: int) -> None:
    p, q = drawn(seed, 2, 20, 3)
    d = {name: divergence.mean(name, p, q) for name in DIVERGENCES}
    assert d["total_variation"] <= np.sqrt(d["forward_kl"] / 2) + 1e-12  # Pinsker
    assert d["total_variation"] <= np.sqrt(-np.expm1(-d["forward_kl"])) + 1e-12  # Bretagnolle-Huber
    assert d["squared_hellinger"] <= d["total_variation"] + 1e-12
    assert d["forward_kl"] <= d["chi_square"] + 1e-12 and 0 <= d["jensen_shannon"] <= np.log(2)
    np.testing.assert_allclose(d["jeffreys"], d["forward_kl"] + d["reverse_kl"])


@pytest.mark.parametrize("name", DIVERGENCES)
def test_limits(name: str) -> None:
    same, apart = divergence.mean(name, P, P), divergence.mean(name, [[1.0, 0.0]], [[0.0, 1.0]])
    assert np.isclose(same, np.log(2) if name == "cross_entropy" else 0)
    finite = {"jensen_shannon": np.log(2), "squared_hellinger": 1.0, "total_variation": 1.0}
    assert np.isclose(apart, finite.get(name, np.inf))


@pytest.mark.parametrize("name", DIVERGENCES)
@given(seed=SEEDS)
@settings(max_examples=20)
def test_slopes_against_differences(name: str, seed: int) -> None:
    p, q = drawn(seed, 2, 4, scale=1.0)
    direction = np.random.default_rng(seed + 1).normal(size=4) * q
    value, slope, curvature = DIVERGENCES[name]
    step = 1e-6 * direction
    measured = (value(p, q + step) - value(p, q - step)) / 2e-6
    np.testing.assert_allclose(measured, slope(p, q) @ direction, rtol=1e-4, atol=1e-6)
    bent = (slope(p, q + step) - slope(p, q - step)) / 2e-6
    np.testing.assert_allclose(bent, curvature(p, q) * direction, rtol=1e-4, atol=1e-5)


@given(SEEDS, st.integers(2, 6), st.floats(0.001, 0.99))
def test_the_floor_holds_and_keeps_mixtures(seed: int, classes: int, share: float) -> None:
    gamma = share / classes
    p, q = drawn(seed, 2, 5, classes, scale=20.0)
    low = divergence.floored(p, gamma)
    assert low.min() >= gamma * (1 - 1e-9) and np.allclose(low.sum(axis=-1), 1)
    mixed = divergence.floored(0.3 * p + 0.7 * q, gamma)
    np.testing.assert_allclose(mixed, 0.3 * low + 0.7 * divergence.floored(q, gamma))


def test_leading_axes_are_kept() -> None:
    p, q = drawn(0, 2, 4, 5, 6, 3)
    whole = divergence.mean("forward_kl", p, q)
    assert whole.shape == (4, 5)
    np.testing.assert_allclose(whole[1, 2], divergence.mean("forward_kl", p[1, 2], q[1, 2]))


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([[0.5, 0.5], [1.2, -0.2]], r"second\[1\] = \(1.2, -0.2\) holds a negative"),
        ([[0.5, 0.5], [0.5, 0.6]], r"second\[1\] = \(0.5, 0.6\) does not sum to 1; give"),
        ([[0.5, 0.5], [np.nan, 0.5]], r"second\[1\].* not a finite number"),
        ([[1.0], [1.0]], "k >= 2 classes"),
        ([[0.5, 0.5]], "different points or classes"),
    ],
)
def test_what_is_no_distribution_is_refused(rows: list, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        divergence.mean("forward_kl", [[0.5, 0.5], [0.5, 0.5]], rows)


@pytest.mark.parametrize("gamma", [0.0, -0.1, 0.5, 1.0, np.nan])
def test_a_floor_out_of_range_is_refused(gamma: float) -> None:
    with pytest.raises(ValueError, match=rf"gamma is {gamma}; a floor for 2 classes lies between 0 and 1/2"):
        divergence.floored(P, gamma)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ValueError, match="'kl' is not known; choose from forward_kl, reverse_kl"):
        divergence.mean("kl", P, Q)
