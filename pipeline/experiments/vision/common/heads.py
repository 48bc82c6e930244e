"""Linear heads on frozen features with the kernel of the digits, and the names of teachers and students."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.core import streams
from pipeline.core.errors import InputError
from pipeline.experiments.vision.common import controls
from pipeline.experiments.vision.settings import Settings
from pipeline.models.softmax import heads as softmax

Array = np.ndarray
KINDS = ("soft", "hard")
LOSSES = ("cross_entropy", "reverse_kl")


def teachers(settings: Settings) -> list[str]:
    """Names of the real teachers, the weakest first."""
    return [teacher(count) for count in settings.weak.labels]


def teacher(count: int) -> str:
    """Name of the teacher that saw so many true labels."""
    return f"cnn-{count}"


def label_sets(settings: Settings, rung: str, loss: str) -> list[str]:
    """`<teacher>/<soft|hard>` of all students that share a fit: control teachers and hard labels on the focus alone."""
    names = teachers(settings)
    if loss == "reverse_kl" or rung != settings.represent.focus:
        return [f"{name}/soft" for name in names]
    return [*(f"{name}/{kind}" for name in names for kind in KINDS), *(f"{name}/soft" for name in controls.TEACHERS)]


class Fit(NamedTuple):
    """Students that are trained together."""

    loss: str
    rows: int

    @property
    def name(self) -> str:
        """Its part of the keys in the bundle of students."""
        return f"{self.loss}/{self.rows}"


def fits(settings: Settings, rung: str) -> Iterator[Fit]:
    """All fits on a rung: every number of weak labels on the focus, the largest alone elsewhere and by reverse KL."""
    counts = settings.strong.weak_labels
    largest = max(counts)
    yield from (Fit("cross_entropy", rows) for rows in counts if rung == settings.represent.focus or rows == largest)
    if rung == settings.represent.focus:
        yield Fit("reverse_kl", largest)


def fit(
    name: str,
    features: Array,
    targets: Array,
    stream: np.random.Generator,
    epochs: Sequence[int],
    *,
    loss: str,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
) -> Array:
    """Heads (epochs, K, 1281, classes) of K label sets (K, n, classes), from one start and in one order of rows."""
    initial = np.repeat(softmax.initialise(stream, 1, features.shape[1], targets.shape[2]), len(targets), axis=0)
    orders = streams.orders(stream, epochs[-1], len(features))
    options = {"learning_rate": learning_rate, "weight_decay": weight_decay, "batch_size": batch_size}
    try:
        return softmax.fit_adamw(features, targets, initial, orders, epochs, loss=loss, **options)
    except FloatingPointError as error:
        raise InputError(f"{name}: {error}; lower {learning_rate:g}, the learning_rate, in {{where}}") from None
