"""Why misfit exceeds gain: both divided by whether the teacher is right, by what the class reaches, by confidence.

In KL, misfit = KL(student, teacher) and gain = KL(truth, teacher) - KL(truth, student).  All shapes (..., n, classes).
"""

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.theory import calibration
from pipeline.theory.divergence import floored, mean

Array = np.ndarray
COLUMNS = (
    *("gain_right", "gain_wrong", "misfit_right", "misfit_wrong"),
    *("gain_reachable", "explained", "gain_scaled", "misfit_scaled", "weak_temperature", "student_temperature"),
    *("dual_gain", "dual_misfit", "own_gain", "own_misfit", "own_gain_reachable", "own_dual_gain", "own_dual_misfit"),
)


def anatomy(truth: Array, teacher: Array, student: Array, ceiling: Array) -> Arrays:
    """Parts of gain and misfit, each (...).

    `<gain|misfit>_<right|wrong>`: what images add on which the teacher is right or wrong; the two sum to the whole.
    `gain_reachable`: the gain when the ceiling, the best head of the class on true labels, stands for the truth.  It is
    above the gain by E sum_i (ceiling_i - truth_i) log(student_i / teacher_i): nothing where the truth is in the class,
    much where the teacher knows of the truth what no head of the class can say.
    `dual_<gain|misfit>`: the same with all arguments exchanged, again with the ceiling for the truth; both are equal
    at the minimum of cross-entropy over all softmax-linear heads, where theory has an equality for them.
    `explained`: share of the variance of the teacher's probabilities that the student's explain.
    """
    right = teacher.argmax(axis=-1) == truth.argmax(axis=-1)
    apart = np.log(student) - np.log(teacher)
    gains, misfits = (np.sum(weights * apart, axis=-1) for weights in (truth, student))
    found = {}
    for name, rows in (("right", right), ("wrong", ~right)):
        found |= {f"gain_{name}": np.mean(gains * rows, axis=-1), f"misfit_{name}": np.mean(misfits * rows, axis=-1)}
    found["gain_reachable"] = saved(ceiling, teacher, student)
    found |= dual(teacher, student, ceiling)
    spread = np.square(teacher - teacher.mean(axis=-2, keepdims=True)).sum(axis=(-1, -2))
    left = np.square(teacher - student).sum(axis=(-1, -2))
    found["explained"] = 1 - np.divide(left, spread, out=np.full_like(left, np.nan), where=spread > 1e-12)
    return found


def saved(truth: Array, teacher: Array, student: Array) -> Array:
    """Gain, whoever stands for the truth."""
    return np.asarray(mean("forward_kl", truth, teacher) - mean("forward_kl", truth, student))


def dual(teacher: Array, student: Array, ceiling: Array) -> Arrays:
    """Gain and misfit with their arguments exchanged, the ceiling for the truth."""
    gained = mean("reverse_kl", ceiling, teacher) - mean("reverse_kl", ceiling, student)
    return {"dual_gain": gained, "dual_misfit": mean("forward_kl", teacher, student)}


def on_own(truth: Array, teacher: Array, student: Array, ceiling: Array) -> Arrays:
    """Gain and misfit on the images that the student has learned from: there they lack nothing for want of labels."""
    found = {"own_gain": saved(truth, teacher, student), "own_misfit": mean("forward_kl", student, teacher)}
    exchanged = {f"own_{name}": value for name, value in dual(teacher, student, ceiling).items()}
    return {**found, **exchanged, "own_gain_reachable": saved(ceiling, teacher, student)}


def after_scaling(truth: Arrays, teacher: Arrays, student: Arrays, floor: float) -> Arrays:
    """Gain and misfit on `test` when both are as confident as serves them best on `calibration`, with true labels.

    What is left of a gain after that is knowledge of classes; the rest was confidence.
    """
    scaled, found = {}, {}
    for role, model in (("weak", teacher), ("student", student)):
        by = calibration.temperature(model["calibration"], truth["calibration"])
        scaled[role] = floored(calibration.tempered(model["test"], by), floor)
        found[f"{role}_temperature"] = by
    gained = saved(truth["test"], scaled["weak"], scaled["student"])
    return {**found, "gain_scaled": gained, "misfit_scaled": mean("forward_kl", scaled["student"], scaled["weak"])}
