"""Measures under squared loss: on all rows without labels, on the labelled ones with them."""

import numpy as np
from numpy.typing import NDArray

from . import means
from .inputs import Sample
from .means import Measures, by_row, itself, none_below, within_one
from .theory import bounds, jackknife, linear_class, misfit
from .theory.inheritance import from_moments

Array = NDArray[np.float64]
ROUNDING = 1e-20  # a squared distance as a share of the mean square, below which it is none
NOTHING_UNREACHABLE = 1e-9  # epsilon as a share of the truth's variance, below which it is rounding


def unlabelled(sample: Sample, teacher_error: float | None, ends: tuple[float, float] | None) -> Measures:
    """Misfit, and between what the gain can lie: for labels in a range, or for a teacher whose error is known."""
    teacher, student = sample.teacher, sample.student
    over, apart = means.over(sample.units, sample.confidence), by_row(misfit.misfit, teacher, student)
    found = {"misfit": over(itself, apart)}
    if (spread := teacher.var()) > 0:
        found["misfit_over_variance"] = over(lambda mean: mean / spread, apart)
    least, most = [], []
    if ends is not None:
        extremes = np.stack([by_row(misfit.gain, np.full_like(teacher, end), teacher, student) for end in ends])
        least.append(over(itself, extremes.min(axis=0)))
        most.append(over(itself, extremes.max(axis=0)))
    if teacher_error is not None:
        root = np.sqrt(teacher_error)
        least.append(over(lambda mean: teacher_error - (root + _root(mean)) ** 2, apart))
        most.append(over(lambda mean: teacher_error - (root - _root(mean)) ** 2, apart))
    if least:
        found |= {"least_gain": max(least), "most_gain": min(most)}
    return found


def labelled(sample: Sample) -> tuple[Measures, dict[str, Array]]:
    """Errors, gain and what goes with them, and the pseudo-values by unit of the gain."""
    assert sample.truth is not None
    truth, teacher, student = sample.truth, sample.teacher[sample.rows], sample.student[sample.rows]
    units, confidence = sample.labelled_units, sample.confidence
    over = means.over(units, confidence)
    errors = [by_row(misfit.error, truth, model) for model in (teacher, student)]
    saved, apart = by_row(misfit.gain, truth, teacher, student), by_row(misfit.misfit, teacher, student)
    cross = by_row(misfit.cross_term, truth, teacher, student)
    gain, pseudo = jackknife.estimate(itself, (saved,), units, confidence)
    product = (teacher - truth) * (student - truth)
    found = {"teacher_error": over(itself, errors[0]), "student_error": over(itself, errors[1])}
    found |= {"gain": gain, "cross_term": over(itself, cross)}
    if apart.any():
        found["gain_over_misfit"] = jackknife.ratio(saved, apart, units, confidence)
    if errors[0].any() and errors[1].any():
        found["error_correlation"] = within_one(over(from_moments, product, *errors))
    unreachable = None
    if sample.ceiling is not None:
        unreachable = by_row(misfit.error, truth, sample.ceiling[sample.rows])
        found["ceiling_error"] = over(itself, unreachable)
        found["gap_recovered"] = jackknife.ratio(saved, errors[0] - unreachable, units, confidence)
    if sample.features is not None:
        features = sample.features[sample.rows]
        unreachable = linear_class.residuals_left_out(features, truth, units) ** 2
        found["epsilon"] = over(itself, unreachable)
        nearest = [linear_class.projection(features, model) for model in (student, teacher)]
        for name, place in zip(("off_class", "off_projection"), nearest, strict=True):
            off = by_row(misfit.error, place, student)
            found[name] = over(itself, np.where(off > ROUNDING * np.mean(student**2), off, 0))
        if unreachable.mean() > NOTHING_UNREACHABLE * truth.var() and apart.any():
            found["rho"] = over(lambda c, e, m: misfit.rho(c, none_below(e), none_below(m)), cross, unreachable, apart)
    if unreachable is not None:
        found["bound"] = over(_bound, apart, unreachable)
        found["gain_above_bound"] = over(lambda g, m, e: g - _bound(m, e), saved, apart, unreachable)
    return found, {"gain": pseudo}


def _bound(apart: Array, unreachable: Array) -> Array:
    return bounds.gain_lower_bound(none_below(apart), none_below(unreachable))


def _root(mean: Array) -> Array:
    return np.sqrt(none_below(mean))
