"""Fit linear heads on a frozen representation, all tasks at once; teachers, students and ceilings alike."""

import numpy as np

from pipeline.core import streams
from pipeline.core.config import AdamW
from pipeline.core.errors import InputError
from pipeline.experiments.synthetic.settings import Exact
from pipeline.models.network import heads, mlp


def features(network: mlp.Representation, inputs: np.ndarray) -> np.ndarray:
    """Representation of every task's inputs: (tasks, n, d) -> (tasks, n, width)."""
    return np.stack([mlp.represent(network, x) for x in inputs])


def fit_adamw(name: str, seed: int, represented: np.ndarray, labels: np.ndarray, settings: AdamW) -> np.ndarray:
    """Heads by the authors' AdamW protocol, shape (tasks, width + 1); ``name`` keeps the random streams apart."""
    tasks, samples, width = represented.shape
    initial = mlp.initialise_heads(streams.generator(seed, f"synthetic/{name}-initial"), tasks, width)
    orders = streams.orders(streams.generator(seed, f"synthetic/{name}-orders"), settings.epochs, samples)
    try:
        return heads.fit_adamw(
            represented,
            labels,
            initial,
            orders,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            batch_size=settings.batch_size,
        )
    except FloatingPointError as error:
        raise InputError(f"{{experiment}} seed {seed}, {name}: {error}; lower learning_rate in {{where}}") from None


def fit_exact(represented: np.ndarray, labels: np.ndarray, settings: Exact) -> np.ndarray:
    """Empirical minimisers in float64, shape (tasks, width + 1)."""
    return np.stack(
        [
            heads.fit_exact(x, y, min_active=settings.minimum_active, rcond=settings.relative_condition)
            for x, y in zip(represented, labels, strict=True)
        ]
    )


def predict(represented: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Predictions of every task's head, shape (tasks, n), float64."""
    return np.stack([heads.predict(x, head) for x, head in zip(represented, fitted, strict=True)]).astype(np.float64)
