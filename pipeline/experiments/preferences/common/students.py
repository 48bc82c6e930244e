"""Which students there are: one entry a trained head, in the order in which they are stored."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.experiments.preferences.settings import BOOTSTRAPPING, Settings

Array = np.ndarray
PRECISIONS = ("bfloat16", "float32")


class Student(NamedTuple):
    """A head on a rung, the teacher and the kind of labels it learns from, and how."""

    panel: str  # main, noise, curve or distinct
    rung: str
    teacher: str
    kind: str  # soft or hard
    noise: float
    loss: str
    rate: float

    @property
    def labels(self) -> str:
        """Key of its labels in the bundle of labels."""
        return f"{self.teacher}/{self.kind}/{self.noise:g}"


def plan(settings: Settings, rung: str, distinct: bool = False) -> list[Student]:
    """Students of one rung that share the main fit: pairs everywhere, all losses, kinds and noise at the focus.

    On distinct prompts there are the pairs alone.
    """
    strong, rate = settings.strong, settings.strong.fit.learning_rate
    if distinct:
        return [
            Student("distinct", rung, teacher, "soft", 0.0, loss, rate)
            for teacher in settings.weak.teachers
            for loss in strong.pair_losses
        ]
    focus = rung == strong.focus
    found = [
        Student("main", rung, teacher, kind, 0.0, loss, rate)
        for teacher in settings.weak.teachers
        for kind, losses in (("soft", strong.losses if focus else strong.pair_losses), ("hard", strong.hard_losses))
        for loss in losses
        if focus or kind == "soft"
    ]
    return found + list(_noisy(settings, rung)) if focus else found


def curves(settings: Settings) -> list[Student]:
    """Students of the focus that are followed over epochs; none where none are asked for."""
    curves = settings.strong.curves
    if curves is None:
        return []
    return [
        Student("curve", settings.strong.focus, teacher, "soft", 0.0, loss, rate)
        for teacher in curves.teachers
        for loss in curves.losses
        for rate in curves.learning_rates
    ]


def _noisy(settings: Settings, rung: str) -> Iterator[Student]:
    for teacher in settings.labels.noise_teachers:
        for rate in settings.labels.noise:
            for loss in settings.strong.noise_losses:
                yield Student("noise", rung, teacher, "soft", rate, loss, settings.strong.fit.learning_rate)


def targets(students: list[Student], labels: Arrays, chained: Mapping[str, Array]) -> Array:
    """Labels of every student, (rows, students); a bootstrapped one learns from the end of its chain."""
    return np.stack(
        [chained[one.teacher] if one.loss == BOOTSTRAPPING else labels[one.labels] for one in students], axis=1
    )


def losses(students: list[Student]) -> list[str]:
    """Loss function of every student: bootstrapping is cross-entropy on the chain's labels."""
    return ["cross_entropy" if one.loss == BOOTSTRAPPING else one.loss for one in students]
