"""Train the teachers on true labels of their part, and fit their temperature on the calibration part.

One item per split: `<teacher>` -> head (h + 1, 10), `<teacher>.temperature` -> (1,); control teachers likewise, without
temperature, and `teachers_labels.<teacher>`, the strong model on the labels that this teacher saw.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax as softmax_of

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.config import AdamW
from pipeline.core.parallel import Pool
from pipeline.experiments.digits.common import controls
from pipeline.experiments.digits.common.splits import one_hot, stream, unit
from pipeline.experiments.digits.settings import CLASSES, Settings, Teacher
from pipeline.models.softmax import heads as softmax
from pipeline.theory.divergence import mean


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers of every split."""
    arguments = (
        settings.data.seed,
        upstream["data"],
        upstream["represent"],
        settings.represent.teachers,
        settings.weak,
    )
    return pool.map(fit_teachers, {unit(i): (i, *arguments) for i in range(settings.data.splits)})


def fit_teachers(
    split: int,
    seed: int,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    teachers: Mapping[str, Teacher],
    settings: AdamW,
) -> Arrays:
    """Teachers and controls of one split."""
    parts, labels, views = data[unit(split)], data["digits"]["labels"], represent[unit(split)]
    fitted = {}
    for name, teacher in teachers.items():
        shown = parts["teacher"][: teacher.labels]
        head = train(stream(seed, split, f"weak-{name}"), views[name][shown], labels[shown], settings)
        held_out = parts["calibration"]
        fitted[name] = head
        fitted[f"{name}.temperature"] = temperature(views[name][held_out], labels[held_out], head)
    own = controls.strong(views)
    for name, teacher in teachers.items():
        shown = parts["teacher"][: teacher.labels]
        generator = stream(seed, split, f"teachers-labels-{name}")
        fitted[f"{controls.NO_TEACHER}.{name}"] = train(generator, views[own][shown], labels[shown], settings)

    def trained(name: str, features: np.ndarray, told: np.ndarray) -> np.ndarray:
        return train(stream(seed, split, f"control-{name}"), features, told, settings)

    drawn = stream(seed, split, "controls")
    return {**fitted, **controls.teachers(drawn, views, labels, parts["teacher"], trained)}


def train(generator: np.random.Generator, features: np.ndarray, labels: np.ndarray, settings: AdamW) -> np.ndarray:
    """One softmax head by cross-entropy on hard labels."""
    initial = softmax.initialise(generator, 1, features.shape[1], CLASSES)
    orders = streams.orders(generator, settings.epochs, len(labels))
    return softmax.fit_adamw(
        features,
        one_hot(labels, CLASSES)[None],
        initial,
        orders,
        [settings.epochs],
        loss="cross_entropy",
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        batch_size=settings.batch_size,
    )[0, 0]


def temperature(features: np.ndarray, labels: np.ndarray, head: np.ndarray) -> np.ndarray:
    """By which the logits are best divided: least cross-entropy on held-out labels (Guo et al. 2017)."""
    logarithm = np.log(softmax.predict(features, head))

    def loss(log_temperature: float) -> float:
        tempered = softmax_of(logarithm / np.exp(log_temperature), axis=-1)
        return float(mean("cross_entropy", one_hot(labels, CLASSES), tempered))

    return np.exp([minimize_scalar(loss, bounds=(-3, 3), method="bounded").x])
