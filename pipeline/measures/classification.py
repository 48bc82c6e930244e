"""Everything that is measured of a teacher, a student and a ceiling on one sample: columns of the cells."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.cells import COLUMNS as COMMON
from pipeline.summary.classification import RAISED
from pipeline.theory import calibration
from pipeline.theory import classification_bounds as bounds
from pipeline.theory.divergence import floored, mean
from pipeline.theory.inheritance import agreement, inheritance

Array = np.ndarray
ROLES = ("weak", "student", "ceiling")
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
    "sharp_bound",
    "gain_bound",
    "certificate",
    "weak_objective",
    "weak_validation",
    "weak_ece",
    "student_ece",
    "ceiling_ece",
    "weak_ece_scaled",
    "student_ece_scaled",
    "weak_overconfidence",
    "student_overconfidence",
    "ceiling_overconfidence",
    "weak_mce",
    "student_mce",
    "weak_smooth",
    "student_smooth",
    "calibration_bound",
    "copied",
    "corrected",
    "kept",
)


# Shares, accuracies and calibration errors are written to a millionth; divergences so that misfit - gain - cross_term
# keeps to 1e-8; of a certificate its size is enough.
MILLIONTHS = {
    *("disagreement", "error_correlation", "truth_variance", "copied", "corrected", "kept", "calibration_bound"),
    *("weak_objective", "weak_validation", "bound", "sharp_bound", "gain_bound"),
    *(
        f"{role}_{kind}"
        for role in ROLES
        for kind in ("accuracy", "ece", "ece_scaled", "overconfidence", "mce", "smooth")
    ),
}
BILLIONTHS = {"weak_error", "student_error", "ceiling_error", "misfit", "gain", "cross_term", "epsilon"}


def ordered(cells: pd.DataFrame, further: Iterable[str] = ()) -> pd.DataFrame:
    """Cells with these columns after the common ones, empty where they hold none, and then further ones; rounded."""
    common, further = [column for column in COMMON if column in cells], list(further)
    cells = cells.reindex(columns=[*common, *COLUMNS, *further])
    sixth = [name for name in cells if name in MILLIONTHS or name.startswith(RAISED)]
    places = dict.fromkeys(sixth, 6) | dict.fromkeys(BILLIONTHS, 9)
    cells = cells.round({name: places[name] for name in cells if name in places})
    return cells.assign(certificate=cells["certificate"].map("{:.1e}".format).astype(float))


def measure(truth: Array, teacher: Array, student: Array, ceiling: Array, floor: float, bins: int) -> Arrays:
    """Measures that do not depend on the direction, each (...); predictions are (..., n, k), floored.

    truth holds the label's distribution, or one-hot labels (then floored for the divergences, and only for them).
    """
    classes, roles = truth.shape[-1], dict(zip(ROLES, (teacher, student, ceiling), strict=True))
    distance = mean("forward_kl", teacher, student)
    found = {f"{role}_error": mean("forward_kl", truth, model) for role, model in roles.items()}
    for name, constant in (("", bounds.lipschitz_constant), ("sharp_", bounds.sharp_constant)):
        found[f"{name}bound"] = bounds.generalization_bound(distance, constant(floor, classes))
    for role, model in roles.items():
        found[f"{role}_accuracy"] = agreement(truth, model)
        found[f"{role}_ece"] = calibration.top_label_error(model, truth, bins)
        found[f"{role}_overconfidence"] = calibration.overconfidence(model, truth)
    for role in ("weak", "student"):
        found[f"{role}_mce"] = calibration.marginal_error(roles[role], truth, bins)
        found[f"{role}_smooth"] = calibration.smooth_error(roles[role], truth)
    found["disagreement"] = 1 - agreement(teacher, student)
    found |= inheritance(truth, teacher, student)
    found["truth_variance"] = np.broadcast_to(truth.var(axis=-2).sum(axis=-1), distance.shape)
    return {**found, "calibration_bound": bounds.calibration_width(distance)}


def raised(floors: Iterable[float]) -> list[str]:
    """Columns of `tightness_at`."""
    return [f"{RAISED}{floor:g}" for floor in floors]


def tightness_at(floors: Iterable[float], truth: Array, teacher: Array, student: Array) -> Arrays:
    """Share that is used of the bound with the least constant, by the floor gamma put under both predictions, (...).

    Floors are above that of the predictions: (1 - k gamma) p + gamma, as `divergence.floored`.
    """
    found = {}
    for floor, name in zip(floors, raised(floors), strict=True):
        first, second = (floored(model, floor) for model in (teacher, student))
        difference = mean("forward_kl", truth, first) - mean("forward_kl", truth, second)
        constant = bounds.sharp_constant(floor, truth.shape[-1])
        bound = bounds.generalization_bound(mean("forward_kl", first, second), constant)
        found[name] = bounds.tightness(difference, bound)
    return found


def scaled(truth: Array, models: dict[str, Array], held_truth: Array, held: dict[str, Array], bins: int) -> Arrays:
    """ECE by role after temperature scaling: each temperature is fitted on held-out points with true labels, (...)."""
    return {
        f"{role}_ece_scaled": calibration.top_label_error(
            calibration.tempered(model, calibration.temperature(held[role], held_truth)), truth, bins
        )
        for role, model in models.items()
    }


def directed(direction: str, truth: Array, teacher: Array, student: Array) -> Arrays:
    """Gain, misfit and cross term in one direction."""
    return bounds.gain(direction, truth, teacher, student)._asdict()
