"""Everything that is measured of a teacher, a student and a ceiling on one sample: columns of the cells."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.cells import COLUMNS as COMMON
from pipeline.theory import calibration
from pipeline.theory import classification_bounds as bounds
from pipeline.theory.divergence import mean

Array = np.ndarray
COLUMNS = (
    "loss",
    "class",
    "direction",
    "epoch",
    "lr",
    "noise",
    "sharpening",
    "weak_accuracy",
    "student_accuracy",
    "ceiling_accuracy",
    "disagreement",
    "weak_kl",
    "student_kl",
    "ceiling_kl",
    "tightness",
    "sharp_bound",
    "sharp_tightness",
    "finite_sample_term",
    "gain_bound",
    "certificate",
    "weak_objective",
    "weak_validation",
    "weak_ece",
    "student_ece",
    "ceiling_ece",
    "weak_mce",
    "student_mce",
    "ceiling_mce",
    "weak_conditional",
    "student_conditional",
    "calibration_bound",
    "copied",
    "corrected",
    "kept",
)


def ordered(cells: pd.DataFrame, further: Iterable[str] = ()) -> pd.DataFrame:
    """Cells with these columns after the common ones, empty where they hold none, and then further ones."""
    common = [column for column in COMMON if column in cells]
    return cells.reindex(columns=[*common, *COLUMNS, *further])


def measure(truth: Array, teacher: Array, student: Array, ceiling: Array, floor: float, bins: int) -> Arrays:
    """Measures that do not depend on the direction, each (...); predictions are (..., n, k), floored.

    truth holds the label's distribution, or one-hot labels (then floored for the divergences, and only for them).
    """
    classes, roles = truth.shape[-1], {"weak": teacher, "student": student, "ceiling": ceiling}
    distance = mean("forward_kl", teacher, student)
    found = {f"{role}_kl": mean("forward_kl", truth, model) for role, model in roles.items()}
    difference = found["weak_kl"] - found["student_kl"]
    for name, constant in (("", bounds.lipschitz_constant), ("sharp_", bounds.sharp_constant)):
        bound = bounds.generalization_bound(distance, constant(floor, classes))
        found |= {f"{name}bound": bound, f"{name}tightness": bounds.tightness(difference, bound)}
    for role, model in roles.items():
        found[f"{role}_accuracy"] = agreement(truth, model)
        found[f"{role}_ece"] = calibration.top_label_error(model, truth, bins)
        found[f"{role}_mce"] = calibration.marginal_error(model, truth, bins)
        found[f"{role}_conditional"] = calibration.conditional_error(model, truth)
    found["disagreement"] = 1 - agreement(teacher, student)
    found |= inheritance(truth, teacher, student)
    found["truth_variance"] = np.broadcast_to(truth.var(axis=-2).sum(axis=-1), found["weak_kl"].shape)
    found["calibration_bound"] = bounds.calibration_width(distance)
    return {**found, **{f"{role}_error": found[f"{role}_kl"] for role in roles}}


def directed(direction: str, truth: Array, teacher: Array, student: Array) -> Arrays:
    """Gain, misfit and cross term in one direction."""
    return bounds.gain(direction, truth, teacher, student)._asdict()


def inheritance(truth: Array, teacher: Array, student: Array) -> Arrays:
    """What the student takes over from its teacher, as shares of points (...).

    `copied`: of the teacher's wrong labels, those that the student repeats; `corrected`: those that it puts right;
    `kept`: of the right ones, those that it keeps.  `error_correlation`: of the two indicators of a wrong label.
    NaN where there is no such point.
    """
    answer, told, given = (model.argmax(axis=-1) for model in (truth, teacher, student))
    wrong, fails = told != answer, given != answer
    return {
        "copied": _share(given == told, wrong),
        "corrected": _share(~fails, wrong),
        "kept": _share(~fails, ~wrong),
        "error_correlation": _phi(wrong, fails),
    }


def _share(hits: Array, among: Array) -> Array:
    count = np.sum(among, axis=-1)
    found = np.sum(hits & among, axis=-1).astype(np.float64)
    return np.divide(found, count, out=np.full_like(found, np.nan), where=count > 0)


def _phi(first: Array, second: Array) -> Array:
    means = [np.mean(side, axis=-1) for side in (first, second)]
    spread = np.sqrt(np.prod([mean * (1 - mean) for mean in means], axis=0))
    shared = np.mean(first & second, axis=-1) - means[0] * means[1]
    return np.divide(shared, spread, out=np.full_like(shared, np.nan), where=spread > 0)


def agreement(first: Array, second: Array) -> Array:
    """Share of points whose most probable classes are the same."""
    return np.mean(first.argmax(axis=-1) == second.argmax(axis=-1), axis=-1)
