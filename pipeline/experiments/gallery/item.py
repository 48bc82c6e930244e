"""What every item of the gallery is made of, and the form of its rows."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pipeline.core.artifacts import Arrays

Array = np.ndarray
Row = dict[str, Any]


class Item(NamedTuple):
    """Draw a world, fit its teachers, fit students on what they say, measure: one seed at a time.

    The second argument of the first three is a random stream of their own; the last one is always the item's sizes.
    """

    draw: Callable[[np.random.Generator, Any], Arrays]
    teach: Callable[[Arrays, np.random.Generator, Any], Arrays]
    learn: Callable[[Arrays, Arrays, np.random.Generator, Any], Arrays]
    measure: Callable[[Arrays, Arrays, Arrays, Any], list[Row]]


def row(setting: str, level: float, predicted: float, measured: float, losses: Array, **more: Any) -> Row:
    """A cell: one series (`setting`) at one place (`level`), what theory says there and what came out.

    losses: weak error, student error, misfit and cross term, in squared units of the label.  Of 0-1 labels these are
    rates: of wrong labels, and of those on which student and teacher differ.
    """
    weak, student, misfit, cross = (float(value) for value in losses)
    found = {"setting": setting, "level": float(level), "x": float(level), "regime": "inside"}
    found |= {"predicted": float(predicted), "measured": float(measured)}
    found |= {"weak_error": weak, "student_error": student, "gain": weak - student}
    return {**found, "misfit": misfit, "cross_term": cross, **more}


def of_vectors(truth: Array, teacher: Array, student: Array) -> Array:
    """The four losses of linear functions of white inputs, from their coefficients; leading axes are averaged."""
    pairs = ((teacher, truth), (student, truth), (student, teacher))
    squares = [np.sum((first - last) ** 2, axis=-1).mean() for first, last in pairs]
    return np.array([*squares, np.sum((student - teacher) * (student - truth), axis=-1).mean()])


def of_labels(truth: Array, teacher: Array, student: Array) -> Array:
    """The four losses of 0-1 labels on the same points; leading axes are averaged."""
    truth, teacher, student = (np.asarray(array, float) for array in (truth, teacher, student))
    cross = ((student - teacher) * (student - truth)).mean()
    return np.array([abs(teacher - truth).mean(), abs(student - truth).mean(), abs(student - teacher).mean(), cross])
