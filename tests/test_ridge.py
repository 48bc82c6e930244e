"""Ridge regression with the penalty of least GCV: against sklearn and an explicit hat matrix, one task at a time."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from pipeline.models import ridge

Array = np.ndarray
WIDTH = 512


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(7)


def like_minimol(generator: np.random.Generator, samples: int, width: int = WIDTH) -> tuple[Array, Array]:
    """Features with a steep spectrum, some of which hardly vary, and labels of three tasks: smooth, noisy, noise."""
    factors = generator.normal(size=(samples, width)) / np.arange(1, width + 1) ** 1.2
    features = factors @ generator.normal(size=(width, width)) + 3.0
    features[:, :20] *= 1e-4
    signal = factors[:, :30].sum(axis=1)
    noise = generator.normal(size=(2, samples)) * signal.std()
    return features.astype(np.float32), np.stack([np.tanh(signal), signal + noise[0], noise[1]])


def hat(features: Array, penalty: float, weights: Array | None = None) -> Array:
    """Hat matrix (n, n) of ridge regression with free bias, column by column from sklearn."""
    samples = len(features)
    rows = np.eye(samples)
    fitted = Ridge(penalty * samples, solver="cholesky").fit(features, rows, sample_weight=weights)
    return fitted.predict(features)


def scaled(features: Array) -> Array:
    features = features.astype(np.float64)
    return (features - features.mean(axis=0)) / np.sqrt(features.var(axis=0).mean())


@pytest.mark.parametrize("samples", [40, 50, 51, 52, 120])
def test_the_penalty_and_the_head_are_those_of_a_plain_search(generator: np.random.Generator, samples: int) -> None:
    features, labels = like_minimol(generator, samples, width=50)
    fitted, x = ridge.fit(features, labels), scaled(features)
    penalties = np.exp(np.linspace(np.log(1e-6), np.log(1e6), 800))
    hats = [hat(x, penalty) for penalty in penalties]
    allowed = [index for index, matrix in enumerate(hats) if np.trace(matrix) <= 0.8 * samples]
    for task, y in enumerate(labels):
        gcv = [
            np.mean((y - hats[index] @ y) ** 2) / (1 - 1.2 * np.trace(hats[index]) / samples) ** 2 for index in allowed
        ]
        best = allowed[int(np.argmin(gcv))]
        assert penalties[max(best - 1, 0)] <= fitted.penalties[task] <= penalties[min(best + 1, 799)]
        matrix = hat(x, fitted.penalties[task])
        assert_allclose(ridge.predict(features, fitted.heads)[task], matrix @ y, atol=1e-6 * y.std())
        assert_allclose(fitted.freedom[task], np.trace(matrix), rtol=1e-6)


def test_weights_are_those_of_weighted_least_squares(generator: np.random.Generator) -> None:
    features, labels = like_minimol(generator, 80, width=20)
    weights = generator.uniform(0.1, 3, 80)
    weights /= weights.mean()
    fitted = ridge.fit(features, labels, weights=5 * weights)
    x = features.astype(np.float64)
    x = (x - weights @ x / 80) / np.sqrt(np.mean(weights @ (x - weights @ x / 80) ** 2 / 80))
    heights = np.empty((200, len(labels)))
    penalties = np.exp(np.linspace(np.log(1e-6), np.log(1e6), 200))
    for row, penalty in enumerate(penalties):
        matrix = hat(x, penalty, weights)
        residuals = labels - labels @ matrix.T
        heights[row] = (weights * residuals**2).mean(axis=1) / (1 - 1.2 * np.mean(weights * np.diag(matrix))) ** 2
    for task, best in enumerate(heights.argmin(axis=0)):
        assert penalties[max(best - 1, 0)] <= fitted.penalties[task] <= penalties[min(best + 1, 199)]
        expected = hat(x, fitted.penalties[task], weights) @ labels[task]
        assert_allclose(ridge.predict(features, fitted.heads)[task], expected, atol=1e-6 * labels[task].std())


def test_whole_weights_repeat_rows_in_the_fit_at_one_penalty(
    generator: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, labels = like_minimol(generator, 60, width=10)
    monkeypatch.setattr(ridge, "_penalties", lambda problem: np.full(len(problem.moments), 0.3))
    counts = generator.integers(1, 4, 60)
    repeated = ridge.fit(np.repeat(features, counts, axis=0), np.repeat(labels, counts, axis=1))
    assert_allclose(ridge.fit(features, labels, weights=counts).heads, repeated.heads, rtol=1e-6)


@pytest.mark.parametrize("samples", [60, 200, 505, 511, 512, 513, 514, 520, 600, 1000, 3000])
def test_rounding_of_the_features_does_not_show(generator: np.random.Generator, samples: int) -> None:
    features, labels = like_minimol(generator, samples)
    fresh, _ = like_minimol(generator, 300)
    seen = np.concatenate([features, fresh])
    moved = seen * (1 + 1e-6 * generator.normal(size=seen.shape))
    before = ridge.predict(seen, ridge.fit(features, labels).heads)
    after = ridge.predict(moved, ridge.fit(moved[:samples], labels).heads)
    assert np.abs(after - before).max() < 1e-3 * labels.std(axis=1).min()


@pytest.mark.parametrize("samples", [60, 513])
def test_no_fit_repeats_its_labels(generator: np.random.Generator, samples: int) -> None:
    features, labels = like_minimol(generator, samples)
    fitted = ridge.fit(features, labels)
    assert (fitted.freedom <= 0.8 * samples * (1 + 1e-9)).all()
    assert (fitted.freedom >= 1).all()


def test_constant_labels_and_constant_features(generator: np.random.Generator) -> None:
    features, _ = like_minimol(generator, 60, width=10)
    assert_allclose(ridge.predict(features, ridge.fit(features, np.full((1, 60), 2.5)).heads), 2.5)
    labels = generator.normal(size=(1, 60))
    flat = ridge.fit(np.ones((60, 4)), labels)
    assert_allclose(ridge.predict(np.ones((3, 4)), flat.heads), labels.mean())


@pytest.mark.parametrize(
    "features, labels, weights, message",
    [
        (np.ones((3, 2)), np.ones((1, 4)), None, "belong together"),
        (np.ones((1, 2)), np.ones((1, 1)), None, "too few"),
        (np.full((3, 2), np.nan), np.ones((1, 3)), None, "not finite"),
        (np.ones((3, 2)), np.ones((1, 3)), np.array([1.0, -1.0, 2.0]), "none negative"),
    ],
)
def test_bad_input_is_named(features: Array, labels: Array, weights: Array | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ridge.fit(features, labels, weights=weights)
