"""Calibration errors against hand values and plain loops; the recalled bound refuted, its repair tested."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.special import softmax

from pipeline.theory import calibration
from pipeline.theory.classification_bounds import calibration_width
from pipeline.theory.divergence import mean

SEEDS = st.integers(0, 10**6)


def drawn(seed: int, *shape: int) -> np.ndarray:
    return softmax(np.random.default_rng(seed).normal(0, 2, shape), axis=-1)


def labels(seed: int, posterior: np.ndarray) -> np.ndarray:
    draws = np.random.default_rng(seed).random((*posterior.shape[:-1], 1))
    return np.eye(posterior.shape[-1])[(posterior.cumsum(axis=-1) < draws).sum(axis=-1)]


def plain_error(confidence: np.ndarray, hit: np.ndarray, bins: int) -> float:
    total = 0.0
    for b in range(bins):
        inside = (confidence >= b / bins) & ((confidence < (b + 1) / bins) | (b == bins - 1))
        if inside.any():
            total += inside.mean() * abs(hit[inside].mean() - confidence[inside].mean())
    return total


def test_hand_values() -> None:
    predicted = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    outcome = np.eye(2)[[0, 1, 1, 1]]
    # Top label: bin of 0.9 is right half the time, bin of 0.6 always.
    np.testing.assert_allclose(calibration.top_label_error(predicted, outcome, 4), 0.5 * 0.4 + 0.5 * 0.4)
    np.testing.assert_allclose(calibration.marginal_error(predicted, outcome, 4), 2 * (0.5 * 0.4 + 0.5 * 0.4))
    np.testing.assert_allclose(calibration.exact_marginal_error(predicted, outcome), 0.8)
    diagram = calibration.reliability(predicted, outcome, 2)
    np.testing.assert_array_equal(diagram.count, [0, 4])
    assert np.isnan(diagram.confidence[0]) and diagram.confidence[1] == 0.75 and diagram.frequency[1] == 0.75


@given(SEEDS, st.sampled_from([1, 10, 15]))
def test_equal_width_against_the_plain_loop(seed: int, bins: int) -> None:
    predicted = drawn(seed, 40, 3)
    outcome = labels(seed, drawn(seed + 1, 40, 3))
    confidence, hit = predicted.max(axis=-1), outcome[np.arange(40), predicted.argmax(axis=-1)]
    found = calibration.top_label_error(predicted, outcome, bins)
    np.testing.assert_allclose(found, plain_error(confidence, hit, bins), atol=1e-12)
    marginal = sum(plain_error(predicted[:, i], outcome[:, i], bins) for i in range(3))
    np.testing.assert_allclose(calibration.marginal_error(predicted, outcome, bins), marginal, atol=1e-12)


def test_equal_mass_bins_hold_equally_many() -> None:
    predicted, outcome = drawn(0, 5, 45, 3), labels(1, drawn(2, 5, 45, 3))
    diagram = calibration.reliability(predicted, outcome, 15, "mass")
    assert diagram.count.shape == (5, 15) and (diagram.count == 3).all()
    ordered = np.sort(predicted[0].max(axis=-1)).reshape(15, 3).mean(axis=-1)
    np.testing.assert_allclose(diagram.confidence[0], ordered)


def test_equal_confidences_share_a_bin_of_equal_mass() -> None:
    """A constant .7 that is right seven times in ten is calibrated, in whatever order the labels come."""
    predicted, outcome = np.tile([0.7, 0.3], (100, 1)), np.eye(2)[[0] * 70 + [1] * 30]
    assert calibration.top_label_error(predicted, outcome, 10, "mass") == pytest.approx(0, abs=1e-12)
    mixed = np.concatenate([predicted, np.tile([0.9, 0.1], (100, 1))])
    hits = np.concatenate([outcome, np.eye(2)[[0] * 90 + [1] * 10]])
    diagram = calibration.reliability(mixed, hits, 4, "mass")
    np.testing.assert_array_equal(np.sort(diagram.count), [0, 0, 100, 100])
    assert calibration.top_label_error(mixed, hits, 4, "mass") == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("error", [calibration.top_label_error, calibration.marginal_error])
@pytest.mark.parametrize("binning", calibration.BINNINGS)
def test_batches_are_their_rows(error: Callable[..., np.ndarray], binning: str) -> None:
    predicted, outcome = drawn(3, 4, 60, 3), labels(4, drawn(3, 4, 60, 3))
    rows = [error(p, y, 10, binning) for p, y in zip(predicted, outcome, strict=True)]
    np.testing.assert_allclose(error(predicted, outcome, 10, binning), rows)


def test_debiasing_takes_off_what_chance_adds() -> None:
    """A calibrated model of 300 points: the plain error is all noise, the debiased one is much smaller on average."""
    predicted = drawn(5, 400, 300, 3)
    outcome = labels(6, predicted)
    plain = calibration.top_label_error(predicted, outcome, 15, "mass").mean()
    debiased = calibration.debiased_top_label_error(predicted, outcome, 15).mean()
    assert plain > 0.05 and debiased < 0.5 * plain
    off = softmax(3 * np.log(predicted), axis=-1)  # over-confident
    confidence, hit = calibration.top_label(off, predicted)
    root = np.sqrt(np.mean(np.square(confidence - hit)))
    assert abs(calibration.debiased_top_label_error(off, outcome, 15).mean() - root) < 0.05


@pytest.mark.parametrize("delta", [0.01, 0.1, 0.4])
def test_the_recalled_bound_is_refuted(delta: float) -> None:
    found = calibration.counterexample(delta)
    assert found.teacher_error == 0
    np.testing.assert_allclose(found.student_error, 1 - 2 * delta)
    np.testing.assert_allclose(found.disagreement, -0.5 * np.log(1 - 4 * delta**2))
    assert (found.student_error > found.teacher_error + found.width) == (delta < 0.25)
    if delta == 0.01:
        np.testing.assert_allclose([found.width, found.student_error], [0.028, 0.98], atol=5e-4)


@given(SEEDS, st.integers(2, 5), st.floats(0.001, 1))
def test_the_repaired_bound_holds(seed: int, classes: int, nearness: float) -> None:
    stream = np.random.default_rng(seed)
    posterior, teacher, other = drawn(seed, 3, 50, classes)
    student = (1 - nearness) * teacher + nearness * other
    width = calibration_width(mean("forward_kl", teacher, student))
    variation = 2 * mean("total_variation", teacher, student)
    assert variation <= width + 1e-12
    cells = stream.integers(6, size=50)
    for error in (
        lambda model: calibration.conditional_error(model, posterior),
        lambda model: calibration.shared_partition_error(model, labels(seed, posterior), cells),
    ):
        assert abs(error(student) - error(teacher)) <= variation + 1e-12


def linear_programme(values: np.ndarray, residuals: np.ndarray) -> float:
    """sup of mean u(values) residuals over 1-Lipschitz u into [-1, 1]: a variable a value, neighbours bounded."""
    order = np.argsort(values)
    steps = np.diff(np.eye(len(values))[order], axis=0)
    gaps = np.diff(values[order])
    found = linprog(
        -residuals / len(values), A_ub=np.concatenate([steps, -steps]), b_ub=np.tile(gaps, 2), bounds=(-1, 1)
    )
    return -found.fun


@given(SEEDS, st.sampled_from([10, 100]))
@settings(max_examples=20)
def test_smooth_error_against_a_linear_programme(seed: int, grid: int) -> None:
    predicted, outcome = drawn(seed, 30, 3), labels(seed, drawn(seed + 1, 30, 3))
    exact = sum(linear_programme(predicted[:, i], (outcome - predicted)[:, i]) for i in range(3))
    found = calibration.smooth_error(predicted, outcome, grid)
    assert exact - np.abs(outcome - predicted).sum(axis=1).mean() / (2 * grid) - 1e-9 <= found <= exact + 1e-9
    on_grid = np.round(predicted[:, :2] * grid) / (2 * grid)
    on_grid = np.stack([*on_grid.T, 1 - on_grid.sum(axis=1)], axis=1)
    halves = sum(linear_programme(on_grid[:, i], (outcome - on_grid)[:, i]) for i in range(3))
    np.testing.assert_allclose(calibration.smooth_error(on_grid, outcome, 2 * grid), halves, atol=1e-9)


@given(SEEDS, st.integers(2, 5), st.floats(0.001, 1), st.booleans())
def test_smooth_error_is_continuous_in_the_predictor(seed: int, classes: int, nearness: float, hard: bool) -> None:
    posterior, teacher, other = drawn(seed, 3, 50, classes)
    student = (1 - nearness) * teacher + nearness * other
    outcome = labels(seed, posterior) if hard else posterior
    change = abs(calibration.smooth_error(student, outcome) - calibration.smooth_error(teacher, outcome))
    assert change <= 2 * np.abs(student - teacher).sum(axis=1).mean() + 1e-12
    assert change <= 2 * calibration_width(mean("forward_kl", teacher, student)) + 1e-12


def test_where_binned_errors_jump_the_smooth_one_hardly_moves() -> None:
    """The counterexample: a student that leans to the right class by .01 is off by .98 given its own output."""
    truth, teacher = np.eye(2), np.full((2, 2), 0.5)
    student = teacher + 0.01 * (2 * truth - 1)
    assert calibration.exact_marginal_error(student, truth) == pytest.approx(0.98)
    assert calibration.smooth_error(teacher, truth) == pytest.approx(0, abs=1e-12)
    # u may rise by .02 from .49 to .51, and the residuals are -.49 and .49 there: half of .0098 for each class.
    assert calibration.smooth_error(student, truth) == pytest.approx(0.0098)


def test_smooth_error_of_a_constant_is_its_bias() -> None:
    outcome = np.eye(2)[[0] * 60 + [1] * 40]
    constant = np.tile([0.8, 0.2], (100, 1))
    assert calibration.smooth_error(constant, outcome) == pytest.approx(2 * 0.2)
    assert calibration.overconfidence(constant, outcome) == pytest.approx(0.2)


@given(SEEDS)
def test_signed_gap_is_at_most_the_error(seed: int) -> None:
    predicted, outcome = drawn(seed, 4, 50, 3), labels(seed, drawn(seed + 1, 4, 50, 3))
    gap = calibration.overconfidence(predicted, outcome)
    assert (np.abs(gap) <= calibration.top_label_error(predicted, outcome, 15) + 1e-12).all()


@given(SEEDS, st.floats(0.2, 5))
def test_temperature_is_recovered_and_rescaling_undoes_it(seed: int, factor: float) -> None:
    """Where the truth is the prediction at another temperature, cross-entropy to it is least at that temperature."""
    truth = softmax(np.random.default_rng(seed).normal(0, 0.7, (2, 80, 3)), axis=-1)
    predicted = calibration.tempered(truth, np.full(2, 1 / factor))
    found = calibration.temperature(predicted, truth)
    np.testing.assert_allclose(found, factor, rtol=1e-5)
    np.testing.assert_allclose(calibration.tempered(predicted, found), truth, atol=1e-5)


@given(SEEDS)
@settings(max_examples=20)
def test_temperature_is_the_minimum(seed: int) -> None:
    predicted, outcome = drawn(seed, 60, 3), labels(seed, drawn(seed + 1, 60, 3))
    found = calibration.temperature(predicted, outcome)
    least = mean("cross_entropy", outcome, calibration.tempered(predicted, found))
    for factor in (0.9, 1.1):
        other = np.clip(found * factor, calibration.COLDEST, calibration.HOTTEST)
        assert least <= mean("cross_entropy", outcome, calibration.tempered(predicted, other)) + 1e-9


@given(SEEDS)
def test_coarser_partitions_see_less(seed: int) -> None:
    posterior, model = drawn(seed, 2, 40, 3)
    cells = np.random.default_rng(seed).integers(5, size=40)
    errors = [
        calibration.shared_partition_error(model, posterior, c) for c in (np.zeros(40, int), cells, np.arange(40))
    ]
    assert errors[0] <= errors[1] + 1e-12 <= errors[2] + 2e-12
    np.testing.assert_allclose(errors[2], calibration.conditional_error(model, posterior))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, y: calibration.top_label_error(p, y, 11), "11 bins for 10 samples; use at least 1"),
        (lambda p, y: calibration.top_label_error(p, y, 0), "0 bins for 10 samples"),
        (lambda p, y: calibration.marginal_error(p, np.eye(3)[[1] * 10], 5), "only class 1 occurs among 10 labels"),
        (lambda p, y: calibration.top_label_error(p, y, 5, "log"), "binning is 'log'; choose from width, mass"),
        (lambda p, y: calibration.top_label_error(p, 2 * y, 5), "does not sum to 1"),
        (lambda p, y: calibration.smooth_error(p, y, 0), "grid is 0"),
        (lambda p, y: calibration.temperature(np.eye(3)[[0] * 10], y), "predicted holds a zero; put a floor"),
        (lambda p, y: calibration.counterexample(0.5), "delta is 0.5"),
        (lambda p, y: calibration.shared_partition_error(p, y, np.zeros(3, int)), r"cells have shape \(3,\)"),
    ],
)
def test_bad_input_is_refused(call: Callable[..., object], message: str) -> None:
    predicted = drawn(0, 10, 3)
    with pytest.raises(ValueError, match=message):
        call(predicted, labels(0, predicted))
