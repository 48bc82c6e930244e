"""Identities and bounds as properties, each formula against a hand value."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.theory import bounds, intervals, misfit

VALUES = st.floats(-100, 100, width=32)
SAMPLES = arrays(np.float64, (3, 17), elements=VALUES)


def test_hand_values() -> None:
    truth, teacher, student = [0.0, 0.0], [2.0, 0.0], [1.0, 1.0]
    assert misfit.error(truth, teacher) == 2 and misfit.error(truth, student) == 1
    assert misfit.misfit(teacher, student) == 1 and misfit.gain(truth, teacher, student) == 1
    assert misfit.cross_term(truth, teacher, student) == 0
    assert bounds.gain_lower_bound(4, 1) == 0 and bounds.tightness(2, 4, 1) == 0.5
    assert bounds.gain_over_misfit(0.5, 1, 4) == 0.5


@given(SAMPLES)
def test_misfit_minus_gain_is_twice_the_cross_term(drawn: np.ndarray) -> None:
    difference = misfit.misfit(drawn[1], drawn[2]) - misfit.gain(*drawn)
    np.testing.assert_allclose(difference, 2 * misfit.cross_term(*drawn), atol=1e-8)


@given(st.integers(0, 10**6), st.integers(1, 6))
@settings(max_examples=60)
def test_projection_on_a_subspace(seed: int, rank: int) -> None:
    """Realizable: gain = misfit. Otherwise rho is a correlation, gives gain / misfit, and the bound holds."""
    stream = np.random.default_rng(seed)
    basis, teacher, truth = stream.normal(size=(30, rank)), stream.normal(size=30), stream.normal(size=30)
    onto = basis @ np.linalg.pinv(basis)
    student, best = onto @ teacher, onto @ truth
    np.testing.assert_allclose(misfit.gain(best, teacher, student), misfit.misfit(teacher, student), rtol=1e-9)
    gain, gap, epsilon = (
        misfit.gain(truth, teacher, student),
        misfit.misfit(teacher, student),
        misfit.error(truth, best),
    )
    rho = misfit.rho(misfit.cross_term(truth, teacher, student), epsilon, gap)
    assert abs(rho) <= 1 + 1e-9
    np.testing.assert_allclose(gain / gap, bounds.gain_over_misfit(rho, epsilon, gap), rtol=1e-8)
    np.testing.assert_allclose(bounds.tightness(gain, gap, epsilon), rho, atol=1e-8)
    assert gain >= bounds.gain_lower_bound(gap, epsilon) - 1e-9


@given(st.integers(0, 10**6))
@settings(max_examples=60)
def test_projection_on_a_convex_set(seed: int) -> None:
    """Theorem 1 on a box that holds the truth, and the explicit bound on one that does not."""
    stream = np.random.default_rng(seed)
    teacher, inside, outside = stream.normal(size=(3, 20)) * 2
    inside = np.clip(inside, -1, 1)
    student = np.clip(teacher, -1, 1)
    gap = misfit.misfit(teacher, student)
    assert misfit.gain(inside, teacher, student) >= gap - 1e-12
    epsilon = misfit.error(outside, np.clip(outside, -1, 1))
    assert misfit.gain(outside, teacher, student) >= bounds.gain_lower_bound(gap, epsilon) - 1e-12


def test_the_bound_is_met_when_the_unreachable_parts_agree() -> None:
    truth, teacher = np.array([0.0, 1.0]), np.array([5.0, 3.0])
    student = np.array([5.0, 0.0])  # projection on the first axis
    gap, epsilon = misfit.misfit(teacher, student), misfit.error(truth, [0.0, 0.0])
    np.testing.assert_allclose(misfit.gain(truth, teacher, student), bounds.gain_lower_bound(gap, epsilon))


@pytest.mark.parametrize(
    ("truth", "teacher", "message"),
    [([1.0], [1.0, 2.0], "different samples"), ([], [], "empty"), ([np.nan], [1.0], "not a finite number")],
)
def test_bad_samples_are_refused(truth: list[float], teacher: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        misfit.misfit(truth, teacher)


def test_negative_squares_are_refused() -> None:
    with pytest.raises(ValueError, match="epsilon is -1"):
        bounds.gain_lower_bound(1, -1)


def test_rho_without_anything_unreachable_has_no_value() -> None:
    assert np.isnan(misfit.rho(0.1, 0.0, 1.0))


def test_t_interval_against_scipy_by_hand() -> None:
    estimate = intervals.over_units([1.0, 2.0, 3.0], 0.95)
    half = 4.302652729911275 * 1 / np.sqrt(3)  # t quantile for two degrees of freedom
    np.testing.assert_allclose(estimate, (2, 2 - half, 2 + half, 3))
    assert intervals.over_units([1.0], 0.95)[1:] == (-np.inf, np.inf, 1)


@given(st.lists(st.floats(-0.999, 0.999), min_size=2, max_size=6))
def test_correlation_interval_stays_a_correlation(values: list[float]) -> None:
    estimate = intervals.correlation_over_units(values, 0.95)
    assert -1 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_overlapping_splits_widen_the_interval_by_hand() -> None:
    values = [1.0, 2.0, 4.0, 7.0]
    plain, wide = intervals.over_units(values, 0.9), intervals.over_units(values, 0.9, 0.125)
    deviation = np.sqrt(np.var(values, ddof=1) * (1 / 4 + 0.125))
    assert (wide.high - wide.value) / deviation == pytest.approx(2.353363, rel=1e-6)  # t with 3 degrees of freedom
    assert (wide.value, wide.n) == (plain.value, 4) and wide.low == pytest.approx(2 * wide.value - wide.high)


def test_the_interval_over_splits_covers_a_mean_that_all_splits_share(generator: np.random.Generator) -> None:
    """Errors of 200 skewed rows, 50 test parts of 10 %: a plain t interval misses far too often."""
    covered = np.zeros(2)
    for _ in range(300):
        rows = generator.gamma(2.0, 0.5, 200)
        means = [generator.permutation(rows)[:20].mean() for _ in range(50)]
        for place, ratio in enumerate((0.0, 0.125)):
            found = intervals.over_units(means, 0.95, ratio)
            covered[place] += found.low <= 1.0 <= found.high
    assert covered[0] / 300 < 0.8 and covered[1] / 300 >= 0.93


def test_bootstrap_covers_the_mean(generator: np.random.Generator) -> None:
    hits = 0
    for _ in range(200):
        estimate = intervals.bootstrap(np.mean, (generator.normal(size=60),), 0.9, 200, generator)
        hits += estimate.low <= 0 <= estimate.high
    assert 0.82 <= hits / 200 <= 0.96


@pytest.mark.parametrize("values", [[], [np.nan], [[1.0]]])
def test_an_interval_needs_numbers(values: list) -> None:
    with pytest.raises(ValueError):
        intervals.over_units(values, 0.95)


def test_splits_that_share_molecules_cover_what_they_share(generator: np.random.Generator) -> None:
    """Correlation between splits as Nadeau and Bengio take it, ratio / (1 + ratio); the plain interval covers .4."""
    ratio, draws, splits = 1.5, 4000, 20
    shared = generator.normal(size=(draws, 1)) * np.sqrt(ratio / (1 + ratio))
    values = shared + generator.normal(size=(draws, splits)) / np.sqrt(1 + ratio)
    ends = [intervals.over_units(row, 0.95, ratio)[1:3] for row in values]
    plain = [intervals.over_units(row, 0.95)[1:3] for row in values]
    covered, narrow = (np.mean([low <= 0 <= high for low, high in some]) for some in (ends, plain))
    assert 0.93 <= covered <= 0.97 and narrow < 0.5
