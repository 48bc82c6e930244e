"""Measures of predicted probabilities: on all rows without labels, on the labelled ones with them."""

import numpy as np
from numpy.typing import NDArray

from . import means
from .inputs import Sample
from .means import Measures, by_row, itself, none_below, within_one
from .theory import calibration, jackknife
from .theory import classification_bounds as bounds
from .theory.divergence import mean
from .theory.inheritance import agreement, inheritance, phi
from .theory.intervals import Estimate

Array = NDArray[np.float64]


def unlabelled(sample: Sample, teacher_error: float | None, gamma: float) -> Measures:
    """Misfit and disagreement, between what the gains can lie whatever the labels, and Yao et al.'s widths."""
    teacher, student, over = sample.teacher, sample.student, means.over(sample.units, sample.confidence)
    apart = by_row(lambda s, w: mean("forward_kl", s, w), student, teacher)
    distance = by_row(lambda w, s: mean("forward_kl", w, s), teacher, student)
    differs = by_row(agreement, teacher, student) == 0
    of_class = np.log(student / teacher)  # gain of a row by the class that is its label
    constant = bounds.sharp_constant(gamma, sample.classes)
    share = jackknife.share(differs, np.ones_like(differs), sample.units, sample.confidence)
    return {
        "misfit": over(itself, apart),
        "disagreement": share,
        "least_gain": over(itself, of_class.min(axis=1)),
        "most_gain": over(itself, of_class.max(axis=1)),
        "risk_width": over(lambda m: bounds.generalization_bound(none_below(m), constant), distance),
        "calibration_width": over(lambda m: 2 * bounds.calibration_width(none_below(m)), distance),
        **_accuracy_range(share, teacher_error),
    }


def labelled(sample: Sample, bins: int, gamma: float) -> tuple[Measures, dict[str, Array]]:
    """Losses, accuracies, gains, inheritance and calibration, and the pseudo-values by unit of both gains."""
    assert sample.truth is not None
    truth, teacher, student = sample.truth, sample.teacher[sample.rows], sample.student[sample.rows]
    ceiling = None if sample.ceiling is None else sample.ceiling[sample.rows]
    units, confidence = sample.labelled_units, sample.confidence
    over = means.over(units, confidence)
    models = {"teacher": teacher, "student": student} | ({} if ceiling is None else {"ceiling": ceiling})
    losses = {role: by_row(lambda t, m: mean("forward_kl", t, m), truth, model) for role, model in models.items()}
    right = {role: by_row(agreement, truth, model) for role, model in models.items()}
    directed = bounds.Gain(*by_row(lambda *three: np.stack(bounds.gain("reverse", *three)), truth, teacher, student))
    everywhere = np.ones(len(truth), dtype=bool)
    found = {f"{role}_error": over(itself, loss) for role, loss in losses.items()}
    gain, pseudo = jackknife.estimate(itself, (directed.gain,), units, confidence)
    better = right["student"] - right["teacher"]
    _, pseudo_better = jackknife.estimate(itself, (better,), units, confidence)
    found |= {"gain": gain, "cross_term": over(itself, directed.cross_term)}
    if directed.misfit.any():
        found["gain_over_misfit"] = jackknife.ratio(directed.gain, directed.misfit, units, confidence)
    for role, hits in right.items():
        found[f"{role}_accuracy"] = jackknife.share(hits == 1, everywhere, units, confidence)
    found["accuracy_gain"] = _accuracy_gain(sample, better)
    if ceiling is not None:
        gap = right["ceiling"] - right["teacher"]
        found["gap_recovered"] = jackknife.ratio(better, gap, units, confidence)

        def bound(m: Array, e: Array) -> Array:
            return bounds.kl_gain_lower_bound(none_below(m), none_below(e), gamma, sample.classes)

        columns = directed.misfit, losses["ceiling"]
        found["bound"] = over(bound, *columns)
        found["gain_above_bound"] = over(lambda g, m, e: g - bound(m, e), directed.gain, *columns)
    shares = by_row(lambda *three: np.stack(list(inheritance(*three).values())[:3]), truth, teacher, student)
    for name, values in zip(("copied", "corrected", "kept"), shares, strict=True):
        if np.isfinite(values).any():
            found[name] = jackknife.share(values == 1, np.isfinite(values), units, confidence)
    wrong = [1 - right[role] for role in ("teacher", "student")]
    if all(0 < fails.mean() < 1 for fails in wrong):
        found["error_correlation"] = within_one(over(phi, *wrong, wrong[0] * wrong[1]))
    for role, model in models.items() if calibrated(sample, bins) else ():
        found[f"{role}_ece"] = jackknife.binned_error(calibration.gaps_by_bin(model, truth, bins), units, confidence)
        found[f"{role}_overconfidence"] = over(itself, by_row(calibration.overconfidence, model, truth))
    return found, {"gain": pseudo, "accuracy_gain": pseudo_better}


def calibrated(sample: Sample, bins: int) -> bool:
    """Whether the labelled rows tell of calibration: as many as there are bins, of at least two classes."""
    return sample.truth is not None and len(sample.rows) >= bins and sample.truth.mean(axis=0).max() < 1 - 1e-9


def where_they_differ(sample: Sample) -> Array:
    """Gain in accuracy, 1, 0 or -1, of each labelled row on which teacher and student predict different classes."""
    assert sample.truth is not None
    truth, teacher, student = sample.truth, sample.teacher[sample.rows], sample.student[sample.rows]
    saved = by_row(agreement, truth, student) - by_row(agreement, truth, teacher)
    return saved[by_row(agreement, teacher, student) == 0]


def _accuracy_gain(sample: Sample, better: Array) -> Estimate:
    """From 1, 0 or -1 of each labelled row (m,).

    Where other rows have no label, how often both differ is taken from all of them: only the share of differing rows
    that are won, less the share lost, needs labels.  The ends then are those of the product's two factors.
    """
    units, confidence = sample.labelled_units, sample.confidence
    differs = by_row(agreement, sample.teacher, sample.student) == 0
    own = differs[sample.rows]
    if sample.complete or not own.any():
        return jackknife.difference_of_shares(better > 0, better < 0, units, confidence)
    often = jackknife.share(differs, np.ones_like(differs), sample.units, confidence)
    won = jackknife.difference_of_shares(better[own] > 0, better[own] < 0, jackknife.some(own, units), confidence)
    low, high = (
        end * (often.high if outward else often.low)
        for end, outward in ((won.low, won.low < 0), (won.high, won.high > 0))
    )
    return Estimate(won.value * often.value, low, high, units.count)


def _accuracy_range(share: Estimate, teacher_error: float | None) -> Measures:
    """Only rows on which both differ count: at most all of them are won, or lost."""
    wrong, right = (1.0, 1.0) if teacher_error is None else (teacher_error, 1 - teacher_error)
    ends = np.array([share.value, share.low, share.high])
    lost, won = -np.minimum(ends, right), np.minimum(ends, wrong)
    return {
        "least_accuracy_gain": Estimate(float(lost[0]), float(lost[2]), float(lost[1]), share.n),
        "most_accuracy_gain": Estimate(*map(float, won), n=share.n),
    }
