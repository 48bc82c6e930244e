"""Linear heads on frozen features, for teachers, students and ceilings alike.

Features (n, width) and labels (tasks, n) cover all molecules of a data set; heads are fitted on some rows, after
scaling both by these rows, and predict all molecules in the label's own units: (tasks, n), float64.
"""

from typing import NamedTuple

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.config import AdamW
from pipeline.experiments.molecules.common import ball
from pipeline.models import ridge
from pipeline.models.network import heads

Array = np.ndarray


class Molecules(NamedTuple):
    """Rows on which a head is fitted, and rows whose labels weigh the epochs of `adamw`."""

    train: Array
    valid: Array


class Ridge(NamedTuple):
    """Predictions (tasks, n); norm of the weights on scaled features, in label units, and degrees of freedom, (tasks,).

    The head is the least-squares projection of its labels on the ball of this radius (`ball.py`), a convex class.
    """

    predictions: Array
    radius: Array
    freedom: Array


class Scaled(NamedTuple):
    """Scaled features and standardised labels in float32, and each task's mean and deviation, shape (tasks, 1)."""

    features: Array
    labels: Array
    mean: Array
    deviation: Array


def molecules(parts: Arrays, inputs: str, role: str) -> Molecules:
    """Rows of a role (`teacher` or `student`): all of train for both (`same`), or each its own `half` of it."""
    return Molecules(parts["train"] if inputs == "same" else parts[f"{role}_half"], parts["valid"])


def fit_ridge(features: Array, labels: Array, train: Array) -> Ridge:
    """Ridge regression on the rows ``train``, each task's penalty by their labels alone (`pipeline.models.ridge`)."""
    fitted = ridge.fit(features[train], labels[:, train])
    radius = np.linalg.norm(fitted.heads[:, :-1], axis=1) * ball.common_scale(features[train])
    return Ridge(ridge.predict(features, fitted.heads), radius, fitted.freedom)


def fit_adamw(features: Array, labels: Array, rows: Molecules, settings: AdamW, stream: np.random.Generator) -> Array:
    """AdamW, each task's head averaged over its epochs by their errors on its own labels of ``rows.valid``.

    Heads start at zero, so that nothing is predicted from directions in which the fitted molecules do not differ; all
    tasks see the molecules in the same order.
    """
    scaled = standardised(features, labels, rows.train)
    fitted = heads.fit_adamw_averaged(
        scaled.features[rows.train],
        scaled.labels[:, rows.train],
        zeros(len(labels), features.shape[1]),
        streams.orders(stream, settings.epochs, len(rows.train)),
        validation_features=scaled.features[rows.valid],
        validation_labels=scaled.labels[:, rows.valid],
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        batch_size=settings.batch_size,
    )
    return heads.predict(scaled.features, fitted) * scaled.deviation + scaled.mean


def fit_adamw_steps(
    features: Array, labels: Array, train: Array, unlabelled: Array, settings: AdamW, stream: np.random.Generator
) -> Array:
    """AdamW for all its epochs on the molecules ``train``, without any further label.

    Features are scaled by the molecules ``unlabelled``, which are more: their labels are not read.
    """
    scaled = standardised(features, labels, train, unlabelled)
    fitted = heads.fit_adamw(
        scaled.features[train],
        scaled.labels[:, train],
        zeros(len(labels), features.shape[1]),
        streams.orders(stream, settings.epochs, len(train)),
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        batch_size=settings.batch_size,
    )
    return heads.predict(scaled.features, fitted) * scaled.deviation + scaled.mean


def class_minimum(features: Array, truth: Array, rows: Array, fitted_on: Array, radii: Array) -> tuple[Array, Array]:
    """Least mean squared error on ``rows`` within each ball of the given radii (label units), and the freedom it takes.

    The class is the student's: its features are scaled by the molecules it was fitted on.  Both are (radii,).
    """
    best = ball.fit(features[rows], truth[None, rows], radii, scaled_on=features[fitted_on])
    errors = np.mean((ridge.predict(features[rows], best.heads[0]) - truth[rows]) ** 2, axis=-1)
    return errors, best.freedom[0]


def standardised(features: Array, labels: Array, train: Array, unlabelled: Array | None = None) -> Scaled:
    """Features on one common scale over ``unlabelled`` (by default ``train``), labels standardised over ``train``."""
    reference = features[train if unlabelled is None else unlabelled].astype(np.float64)
    scaled = (features - reference.mean(axis=0)) / ball.common_scale(reference)
    mean, deviation = labels[:, train].mean(axis=1, keepdims=True), spread(labels[:, train])
    return Scaled(scaled.astype(np.float32), ((labels - mean) / deviation).astype(np.float32), mean, deviation)


def spread(labels: Array) -> Array:
    """Deviation of each task's labels, shape (tasks, 1); 1 where they are all the same."""
    deviation = labels.std(axis=1, keepdims=True)
    return np.where(deviation > 0, deviation, 1.0)


def zeros(tasks: int, width: int) -> Array:
    """Heads that predict zero."""
    return np.zeros((tasks, width + 1), dtype=np.float32)
