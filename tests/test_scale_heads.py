"""Heads on a device against the kernels of the processor, on tasks of the paper's kind."""

import numpy as np
import pytest

from pipeline.core import streams
from pipeline.models.network import heads as kernels
from pipeline.models.network import mlp
from pipeline.scale import heads

ADAMW = {"learning_rate": 0.001, "weight_decay": 0.01, "batch_size": 32}


@pytest.fixture
def tasks(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of a random network, labels with noise, initial heads; six tasks of 200 samples, one unit dead."""
    network = mlp.initialise(generator, 8, 16, 2)
    inputs = generator.normal(0, 500, (6, 200, 8)).astype(np.float32)
    features = np.stack([mlp.represent(network, x) for x in inputs])
    features[2, :, 3] = 0.0
    features[4, 5:, 7] = 0.0  # active on five samples or fewer
    labels = kernels.predict(features, mlp.initialise_heads(generator, 6, 16))
    noisy = labels + labels.std() * generator.standard_normal(labels.shape)
    return features, noisy.astype(np.float32), mlp.initialise_heads(generator, 6, 16)


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.sqrt((expected**2).mean()))


@pytest.mark.parametrize("chunk", [4, 2500])
def test_adamw_gives_the_kernels_numbers(
    tasks: tuple[np.ndarray, ...], generator: np.random.Generator, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "CHUNK", chunk)
    features, labels, initial = tasks
    orders = streams.orders(generator, 60, 200)
    expected = kernels.predict(features, kernels.fit_adamw(features, labels, initial, orders, **ADAMW))
    found = heads.predict(features, heads.fit_adamw(features, labels, initial, orders, **ADAMW))
    assert difference(found, expected) < heads.RTOL["adamw"]
    assert difference(found, kernels.predict(features, initial)) > 0.01


def test_exact_gives_the_kernels_numbers(tasks: tuple[np.ndarray, ...]) -> None:
    features, labels, _ = tasks
    expected = np.stack(
        [kernels.fit_exact(x, y, min_active=10, rcond=1e-8) for x, y in zip(features, labels, strict=True)]
    )
    found = heads.fit_exact(features, labels, min_active=10, rcond=1e-8)
    assert difference(heads.predict(features, found), kernels.predict(features, expected)) < heads.RTOL["exact"]
    assert found[2, 3] == found[4, 7] == 0.0


def test_predictions_are_the_kernels(tasks: tuple[np.ndarray, ...]) -> None:
    features, _, initial = tasks
    np.testing.assert_allclose(heads.predict(features, initial), kernels.predict(features, initial), rtol=1e-5)


def test_divergence_is_an_error(tasks: tuple[np.ndarray, ...], generator: np.random.Generator) -> None:
    features, labels, initial = tasks
    with pytest.raises(FloatingPointError, match="diverged"):
        heads.fit_adamw(
            features, labels, initial, streams.orders(generator, 3, 200), **{**ADAMW, "learning_rate": 1e38}
        )
