"""What is measured under squared loss."""

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.cells import COLUMNS as COMMON
from pipeline.theory import bounds, misfit
from pipeline.theory.inheritance import error_correlation

Array = np.ndarray
COLUMNS = COMMON[COMMON.index("weak_error") :]
# Below this share of the truth's variance epsilon is rounding of float32 labels, and rho has no meaning.
NOTHING_UNREACHABLE = 1e-9


def measure(truth: Array, teacher: Array, student: Array, ceiling: Array, epsilon: Array) -> Arrays:
    """All columns, each (...); predictions are (..., n), and so is or becomes the truth.

    epsilon: error of the best member of the student's class, (...); NaN where that is not known.
    """
    truth = np.broadcast_to(truth, student.shape)
    disagreement, cross = misfit.misfit(teacher, student), misfit.cross_term(truth, teacher, student)
    known, reachable = np.isfinite(epsilon), epsilon <= NOTHING_UNREACHABLE * truth.var(axis=-1)
    values = (
        misfit.error(truth, teacher),
        misfit.error(truth, student),
        misfit.error(truth, ceiling),
        disagreement,
        misfit.gain(truth, teacher, student),
        cross,
        epsilon,
        misfit.rho(cross, np.where(reachable, 0, epsilon), disagreement),
        np.where(known, bounds.gain_lower_bound(disagreement, np.where(known, epsilon, 0)), np.nan),
        truth.var(axis=-1),
        error_correlation(teacher - truth, student - truth),
    )
    return dict(zip(COLUMNS, values, strict=True))
