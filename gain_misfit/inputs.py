"""What users hand over -> arrays of one shape.  A mistake is a ValueError of one line: argument, value, remedy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .theory import divergence, jackknife
from .theory.jackknife import Units

Array = NDArray[np.float64]
FEWEST = 5  # units, below which an interval says nothing
FEATURE_ROWS = 2  # rows for each column of the features, at least


@dataclass(frozen=True)
class Sample:
    """Predictions of all n rows, and the truth of those in `rows`; regression (n,), classification (n, classes)."""

    teacher: Array
    student: Array
    ceiling: Array | None
    truth: Array | None  # (m,) or (m, classes), of the labelled rows in their order
    rows: NDArray[np.int64]  # labelled rows; empty without labels
    units: Units  # of all rows
    labelled_units: Units  # without labels those of all rows
    features: Array | None
    confidence: float

    @property
    def classes(self) -> int:
        """Number of classes; 0 in regression."""
        return self.teacher.shape[1] if self.teacher.ndim == 2 else 0

    @property
    def complete(self) -> bool:
        """Whether every row has a label."""
        return len(self.rows) == len(self.teacher)


def checked(
    truth: ArrayLike | None,
    teacher: ArrayLike,
    student: ArrayLike,
    ceiling: ArrayLike | None,
    labelled: ArrayLike | None,
    groups: ArrayLike | None,
    features: ArrayLike | None,
    floor: float | None,
    confidence: float,
) -> Sample:
    """All of it, checked against each other."""
    if not (isinstance(confidence, int | float) and 0 < confidence < 1):
        raise ValueError(f"confidence is {confidence!r}; give a number between 0 and 1, for example 0.95")
    told = _predictions("teacher", teacher, floor)
    given = _like("student", _predictions("student", student, floor), told)
    best = None if ceiling is None else _like("ceiling", _predictions("ceiling", ceiling, floor), told)
    rows = _rows(truth, labelled, len(told))
    known = None if truth is None else _truth(truth, told, len(rows))
    units = jackknife.rows(len(told)) if groups is None else _groups(groups, len(told))
    own = units if truth is None else jackknife.some(rows, units)
    _enough(own, "labelled rows" if labelled is not None else "rows")
    view = None if features is None else _features(features, told, rows, truth is None)
    return Sample(told, given, best, known, rows, units, own, view, confidence)


def number(name: str, value: Any, low: float, high: float) -> float:
    """A number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not low <= value <= high:
        span = f"between {low:g} and {high:g}" if np.isfinite(high) else f"of at least {low:g}"
        raise ValueError(f"{name} is {value!r}; give a number {span}")
    return float(value)


def label_range(ends: Any) -> tuple[float, float]:
    """Least and largest label."""
    pair = _numbers("label_range", ends)
    if pair.shape != (2,) or not np.isfinite(pair).all() or not pair[0] < pair[1]:
        raise ValueError(f"label_range is {ends!r}; give the least and the largest label, for example (0, 10)")
    return float(pair[0]), float(pair[1])


def _predictions(name: str, values: ArrayLike, floor: float | None) -> Array:
    array = _numbers(name, values)
    if array.ndim not in (1, 2) or not array.size or (array.ndim == 2 and array.shape[1] < 2):
        raise ValueError(
            f"{name} has shape {array.shape}; give (n,) in regression, probabilities (n, classes) in classification"
        )
    _finite(name, array)
    if array.ndim == 1:
        if floor is not None:
            raise ValueError(f"floor is {floor}, but {name} has shape {array.shape}; a floor is for probabilities")
        return array
    array = divergence.checked(name, array)
    array = array / array.sum(axis=1, keepdims=True)  # of float32, p and 1 - p are otherwise off by its rounding
    if floor is not None:
        return divergence.floored(array, number("floor", floor, 0, 1))
    if not array.all():
        row, column = np.argwhere(array == 0)[0]
        raise ValueError(
            f"{name}[{row}] gives class {column} the probability 0, which an infinite loss would follow; "
            "floor=0.001 puts that under every prediction"
        )
    return array


def _truth(truth: ArrayLike, teacher: Array, rows: int) -> Array:
    array = _numbers("truth", truth)
    if array.ndim == 0 or len(array) != rows:
        raise ValueError(f"truth has shape {array.shape}; give one label for each of {rows} rows")
    _finite("truth", array)
    if teacher.ndim == 1:
        if array.ndim != 1:
            raise ValueError(f"truth has shape {array.shape} and teacher {teacher.shape}; give both as (n,)")
        return array
    classes = teacher.shape[1]
    if array.ndim == 2:
        if array.shape[1] != classes:
            raise ValueError(f"truth has {array.shape[1]} classes and teacher {classes}; give both the same")
        return divergence.checked("truth", array)
    if array.ndim != 1:
        raise ValueError(f"truth has shape {array.shape}; give labels (n,) or probabilities (n, {classes})")
    wrong = (array != np.floor(array)) | (array < 0) | (array >= classes)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"truth[{row}] is {array[row]:g}; labels of {classes} classes are 0 to {classes - 1}")
    return np.eye(classes)[array.astype(np.int64)]


def _rows(truth: ArrayLike | None, labelled: ArrayLike | None, number: int) -> NDArray[np.int64]:
    if labelled is None:
        return np.arange(0 if truth is None else number)
    if truth is None:
        raise ValueError("labelled names rows, but truth is None; give their labels as truth")
    rows = np.asarray(labelled)
    if rows.dtype == bool and rows.shape == (number,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
        raise ValueError(f"labelled has shape {rows.shape} of {rows.dtype}; give row numbers, or a mask of {number}")
    outside = (rows < 0) | (rows >= number)
    if outside.any():
        raise ValueError(f"labelled[{outside.argmax()}] is {rows[outside.argmax()]}; rows are 0 to {number - 1}")
    names, often = np.unique(rows, return_counts=True)
    if (often > 1).any():
        raise ValueError(f"labelled names row {names[often.argmax()]} {often.max()} times; name each row once")
    return rows.astype(np.int64)


def _groups(groups: ArrayLike, rows: int) -> Units:
    names = np.asarray(groups)
    if names.shape != (rows,):
        raise ValueError(f"groups has shape {names.shape}; give one name for each of {rows} rows")
    if names.dtype.kind == "f" and np.isnan(names).any():
        raise ValueError(f"groups[{np.isnan(names).argmax()}] is nan; name the group of every row")
    return jackknife.groups(names.astype(str) if names.dtype == object else names)


def _features(features: ArrayLike, teacher: Array, rows: NDArray[np.int64], unlabelled: bool) -> Array:
    if teacher.ndim == 2:
        raise ValueError(
            "features are for squared loss: the bound in KL asks for a convex class, which softmax heads are not; "
            "give a ceiling instead"
        )
    if unlabelled:
        raise ValueError("features are given, but no truth: epsilon is the error of the class's best member on labels")
    array = _numbers("features", features)
    if array.ndim != 2 or len(array) != len(teacher) or not array.shape[1]:
        raise ValueError(f"features has shape {array.shape}; give ({len(teacher)}, d), a row for each prediction")
    _finite("features", array)
    needed = FEATURE_ROWS * (array.shape[1] + 1)
    if len(rows) < needed:
        raise ValueError(
            f"features has {array.shape[1]} columns for {len(rows)} rows with labels; epsilon needs at least {needed} "
            "rows, or fewer columns (the first principal components)"
        )
    return array


def _enough(units: Units, what: str) -> None:
    if units.count < FEWEST:
        name = what if units.alone else f"groups of {what}"
        raise ValueError(f"{units.count} {name}; an interval needs at least {FEWEST}")


def _numbers(name: str, values: Any) -> Array:
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists; tensors on a GPU or with a gradient
        raise ValueError(f"{name} is no array of numbers ({error})") from None
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds {array.dtype} where numbers belong; give an array of numbers")
    return array.astype(np.float64)


def _finite(name: str, array: Array) -> None:
    bad = ~np.isfinite(array)
    if bad.any():
        place = ", ".join(str(index) for index in np.argwhere(bad)[0])
        what = array[tuple(np.argwhere(bad)[0])]
        raise ValueError(f"{name}[{place}] is {what:g}; leave such rows out of every array")


def _like(name: str, array: Array, teacher: Array) -> Array:
    if array.shape != teacher.shape:
        raise ValueError(f"{name} has shape {array.shape} and teacher {teacher.shape}; give both on the same rows")
    return array
