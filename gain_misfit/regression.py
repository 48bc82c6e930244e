"""Measures under squared loss: on all rows without labels, on the labelled ones with them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .inputs import Sample
from .theory import bounds, jackknife, linear_class, misfit
from .theory.inheritance import from_moments
from .theory.intervals import Estimate

Array = NDArray[np.float64]
Measures = dict[str, Estimate]
ROUNDING = 1e-20  # a squared distance as a share of the mean square, below which it is none
NOTHING_UNREACHABLE = 1e-9  # epsilon as a share of the truth's variance, below which it is rounding


def unlabelled(sample: Sample, teacher_error: float | None, ends: tuple[float, float] | None) -> Measures:
    """Misfit, and between what the gain can lie: for labels in a range, or for a teacher whose error is known."""
    teacher, student = sample.teacher, sample.student
    apart = by_row(misfit.misfit, teacher, student)

    def over(function: Callable[..., Array], *columns: Array) -> Estimate:
        return jackknife.estimate(function, columns, sample.units, sample.confidence)[0]

    found = {"misfit": over(_itself, apart)}
    if (spread := teacher.var()) > 0:
        found["misfit_over_variance"] = over(lambda mean: mean / spread, apart)
    least, most = [], []
    if ends is not None:
        extremes = np.stack([by_row(misfit.gain, np.full_like(teacher, end), teacher, student) for end in ends])
        least.append(over(_itself, extremes.min(axis=0)))
        most.append(over(_itself, extremes.max(axis=0)))
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

    def over(function: Callable[..., Array], *columns: Array) -> Estimate:
        return jackknife.estimate(function, columns, units, confidence)[0]

    errors = [by_row(misfit.error, truth, model) for model in (teacher, student)]
    saved, apart = by_row(misfit.gain, truth, teacher, student), by_row(misfit.misfit, teacher, student)
    cross = by_row(misfit.cross_term, truth, teacher, student)
    gain, pseudo = jackknife.estimate(_itself, (saved,), units, confidence)
    product = (teacher - truth) * (student - truth)
    found = {"teacher_error": over(_itself, errors[0]), "student_error": over(_itself, errors[1])}
    found |= {"gain": gain, "cross_term": over(_itself, cross)}
    if apart.any():
        found["gain_over_misfit"] = jackknife.ratio(saved, apart, units, confidence)
    if errors[0].any() and errors[1].any():
        found["error_correlation"] = within_one(over(from_moments, product, *errors))
    unreachable = None
    if sample.ceiling is not None:
        unreachable = by_row(misfit.error, truth, sample.ceiling[sample.rows])
        found["ceiling_error"] = over(_itself, unreachable)
        found["gap_recovered"] = jackknife.ratio(saved, errors[0] - unreachable, units, confidence)
    if sample.features is not None:
        features = sample.features[sample.rows]
        unreachable = linear_class.residuals_left_out(features, truth, units) ** 2
        found["epsilon"] = over(_itself, unreachable)
        nearest = [linear_class.projection(features, model) for model in (student, teacher)]
        for name, place in zip(("off_class", "off_projection"), nearest, strict=True):
            off = by_row(misfit.error, place, student)
            found[name] = over(_itself, np.where(off > ROUNDING * np.mean(student**2), off, 0))
        if unreachable.mean() > NOTHING_UNREACHABLE * truth.var() and apart.any():
            found["rho"] = over(
                lambda c, e, m: misfit.rho(c, _none_below(e), _none_below(m)), cross, unreachable, apart
            )
    if unreachable is not None:
        found["bound"] = over(_bound, apart, unreachable)
        found["gain_above_bound"] = over(lambda g, m, e: g - _bound(m, e), saved, apart, unreachable)
    return found, {"gain": pseudo}


def by_row(function: Callable[..., Array], *arrays: Array) -> Array:
    """What a function of samples says of every row as a sample of its own, (n, ...) -> (n,)."""
    return function(*(array[:, None] for array in arrays))


def within_one(found: Estimate) -> Estimate:
    """An interval of correlations, cut where none can lie."""
    return Estimate(found.value, max(-1.0, found.low), min(1.0, found.high), found.n)


def _bound(apart: Array, unreachable: Array) -> Array:
    return bounds.gain_lower_bound(_none_below(apart), _none_below(unreachable))


def _none_below(means: Array) -> Array:
    return np.maximum(means, 0)  # without a unit that holds all of it, a mean may come out below 0 by rounding


def _root(mean: Array) -> Array:
    return np.sqrt(_none_below(mean))


def _itself(mean: Array) -> Array:
    return mean
