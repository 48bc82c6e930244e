"""Which students are trained on which label sets, and how a head predicts."""

from itertools import product

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.experiments.digits.common import controls
from pipeline.experiments.digits.settings import Settings
from pipeline.experiments.kl.common import corruption
from pipeline.models.softmax import heads as softmax
from pipeline.theory.divergence import floored

LOSSES = ("cross_entropy", "reverse_kl")
TEMPERED = "tempered"


def label_sets(settings: Settings, loss: str, corrupted: bool) -> list[str]:
    """Names of the label sets that a learning rate is run on: all with the first rate, only clean ones with others.

    Cross-entropy on all of them has the control teachers as well.
    """
    clean = ["0/1"]
    noisy = [f"{rate:g}/1" for rate in settings.labels.noise]
    confident = [f"0/{power:g}" for power in settings.labels.sharpening]
    kinds = list(dict.fromkeys(clean + (noisy + confident + [f"0/{TEMPERED}"] if corrupted else [])))
    control = controls.TEACHERS if corrupted and loss == "cross_entropy" else ()
    return [
        *(f"{name}/{kind}" for name, kind in product(settings.represent.teachers, kinds)),
        *(f"{name}/0/1" for name in control),
    ]


def runs(settings: Settings) -> list[tuple[int, str, float, list[str]]]:
    """Width, loss, learning rate and label sets: the last width and first rate carry the corrupted labels."""
    widths, rates = settings.represent.widths, settings.strong.learning_rates
    return [
        (width, loss, rate, label_sets(settings, loss, corrupted=width == widths[-1] and rate == rates[0]))
        for width, loss, rate in product(widths, LOSSES, rates)
        if width == widths[-1] or rate == rates[0]
    ]


def predict(features: np.ndarray, head: np.ndarray, floor: float) -> np.ndarray:
    """Floored predictions of one head."""
    return floored(softmax.predict(features, head), floor)


def teacher(name: str, views: Arrays, weak: Arrays, floor: float) -> np.ndarray:
    """The teacher of a label set, over-confident or temperature-scaled as it was; label noise is none of its own."""
    model, _, power = name.split("/")
    clean = predict(controls.view(model, views), weak[model], floor)
    scale = 1 / float(weak[f"{model}.temperature"][0]) if power == TEMPERED else float(power)
    return corruption.sharpened(clean, scale, floor)


def ceiling(settings: Settings, width: int, views: Arrays, fitted: Arrays) -> np.ndarray:
    """Cross-entropy on true labels, stopped where the validation loss on true labels is least."""
    place = f"{width}/cross_entropy/{settings.strong.learning_rates[0]:g}"
    step = int(fitted[f"{place}/validation"][:, -1].argmin())
    return predict(views[f"strong-{width}"], fitted[place][step, -1], settings.data.floor)
