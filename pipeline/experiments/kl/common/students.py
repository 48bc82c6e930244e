"""Which students there are, over which class and with which loss, and how each is fitted and predicts."""

from typing import NamedTuple

import numpy as np

from pipeline.core.errors import InputError
from pipeline.experiments.kl.settings import Exact
from pipeline.models.network import mlp
from pipeline.models.softmax import heads as softmax
from pipeline.models.softmax import mixture
from pipeline.theory.divergence import floored

Array = np.ndarray


class Student(NamedTuple):
    """A class of students and the loss by which they are fitted; the class names the family of truths it is run on."""

    family: str
    loss: str


# Truths of the family `mixture` are mixtures of the experts on the true representation, those of `softmax` are heads
# on it: each class is realizable where its representation is the true one.
STUDENTS = {
    "mixture.reverse_kl": Student("mixture", "reverse_kl"),
    "softmax.reverse_kl": Student("softmax", "reverse_kl"),
    "softmax.cross_entropy": Student("softmax", "cross_entropy"),
}
FAMILIES = ("mixture", "softmax")


def features(network: mlp.Representation, inputs: Array) -> Array:
    """Representation of every task's inputs: (tasks, n, d) -> (tasks, n, width)."""
    return np.stack([mlp.represent(network, x) for x in inputs])


def experts(represented: Array, heads: Array, floor: float) -> Array:
    """Predictions of the fixed experts, the heads of the pretraining tasks: (tasks, n, experts, k)."""
    return np.stack([floored(softmax.predict(represented, head), floor) for head in heads], axis=2)


def predict(family: str, represented: Array, fitted: Array, heads: Array, floor: float) -> Array:
    """Floored predictions of fitted students, (tasks, n, k); ``heads`` are those of the experts."""
    if family == "mixture":
        return mixture.mix(experts(represented, heads, floor), fitted)
    return floored(softmax.predict(represented, fitted), floor)


def fit(
    student: Student, represented: Array, targets: Array, heads: Array, floor: float, exact: Exact
) -> dict[str, Array]:
    """Fitted weights or heads, and the certificate: duality gap of a mixture, largest slope (KKT) of a softmax head."""
    if student.family == "mixture":
        predicted = experts(represented, heads, floor)
        options = {"tolerance": exact.tolerance, "max_steps": exact.maximum_steps}
        solved = mixture.project(predicted, targets, loss=student.loss, **options)
        return {"fitted": solved.weights, "certificate": solved.gap}
    start = _solve(represented, targets, "cross_entropy", exact, None)
    found = start if student.loss == "cross_entropy" else _solve(represented, targets, student.loss, exact, start.heads)
    return {"fitted": found.heads, "certificate": found.residual}


def _solve(represented: Array, targets: Array, loss: str, exact: Exact, initial: Array | None) -> softmax.Solved:
    try:
        return softmax.fit_exact(
            represented,
            targets,
            loss=loss,
            min_active=exact.minimum_active,
            tolerance=exact.tolerance,
            max_steps=exact.maximum_steps,
            initial=initial,
        )
    except np.linalg.LinAlgError as error:
        remedy = "raise strong.exact.minimum_active in {where}"
        raise InputError(f"{{experiment}}: a softmax head could not be solved ({error}); {remedy}") from None
