"""Which teacher to learn from?  Rules that choose among weak models, and what a wrong choice costs.

Charikar et al. 2024 ("A") propose the smallest (weak error - misfit), which by Theorem 1 estimates the student's own
error from above.  A's table computes it on test molecules with their true labels: a description of the finished
students, not a rule one could follow.  So each rule here takes its measures from one sample, and the caller says
which: `test` repeats A's table, `valid` is what a practitioner has.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Candidates(NamedTuple):
    """Measures of each teacher and its student on one sample, shape (candidates,); sizes order the weak models."""

    weak_error: Array
    student_error: Array
    misfit: Array
    size: Array


class Rule(NamedTuple):
    """A rule picks the candidate of the lowest score; ``needs`` says which labels the score is computed from."""

    score: Callable[[Candidates], Array]
    needs: str
    meaning: str


TRUE, WEAK, NONE = "true labels", "weak labels", "no labels"

RULES = {
    "smallest_difference": Rule(
        lambda c: c.weak_error - c.misfit, TRUE, "smallest (weak error - misfit), the rule of Charikar et al."
    ),
    "lowest_weak_error": Rule(lambda c: c.weak_error, TRUE, "lowest weak error: the best teacher"),
    "highest_misfit": Rule(lambda c: -c.misfit, WEAK, "highest misfit: the most contradicted teacher"),
    "largest_model": Rule(lambda c: -c.size, NONE, "largest weak model"),
    "best_student": Rule(lambda c: c.student_error, TRUE, "lowest student error; plain validation when on `valid`"),
}


def candidates(weak_error: ArrayLike, student_error: ArrayLike, misfit: ArrayLike, size: ArrayLike) -> Candidates:
    """Measures as arrays of one shape (candidates,).  Raises ValueError on other shapes or non-finite values."""
    arrays = [np.asarray(values, dtype=np.float64) for values in (weak_error, student_error, misfit, size)]
    if len({array.shape for array in arrays}) != 1 or arrays[0].ndim != 1 or not arrays[0].size:
        raise ValueError(f"candidates need four arrays of one length, got shapes {[array.shape for array in arrays]}")
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError("a candidate has a measure that is not a finite number")
    return Candidates(*arrays)


def choose(rule: str, sample: Candidates) -> int:
    """Index of the candidate that a rule picks; of equals the smallest model."""
    score = RULES[rule].score(sample)
    return int(np.lexsort((sample.size, score))[0])


def regret(student_error: ArrayLike, picked: int) -> float:
    """How much worse the picked student is than the best of all, in the units of the error; never negative."""
    errors = np.asarray(student_error, dtype=np.float64)
    return float(errors[picked] - errors.min())


def expected_regret_at_random(student_error: ArrayLike) -> float:
    """Regret of choosing a teacher by lot: what any rule has to beat."""
    errors = np.asarray(student_error, dtype=np.float64)
    return float(errors.mean() - errors.min())
