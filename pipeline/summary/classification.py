"""Statistics of classification cells (Yao et al. 2025), one number for a set of cells, by name, and metrics."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.summary.metrics import ends, nested
from pipeline.summary.statistics import Statistic, correlation, gain_over_misfit, mean_gain, mean_misfit
from pipeline.theory import intervals
from pipeline.theory.intervals import Estimate

ALONG = (
    *("weak_accuracy", "student_accuracy", "student_ece", "student_ece_scaled", "student_overconfidence"),
    *("student_error", "weak_objective", "weak_validation"),
)
RAISED = "tightness_"  # columns: at a floor above that of the predictions
# Rounding of the solvers and of the CSV, in nats.
ROUNDING = 1e-7


def mean_accuracy_gain(cells: pd.DataFrame) -> float:
    """Accuracy of the student minus that of its teacher."""
    return float((cells["student_accuracy"] - cells["weak_accuracy"]).mean())


def mean_ece_change(cells: pd.DataFrame) -> float:
    """Calibration error (ECE) of the student minus that of its teacher."""
    return float((cells["student_ece"] - cells["weak_ece"]).mean())


def mean_scaled_ece_change(cells: pd.DataFrame) -> float:
    """The same after temperature scaling of both on held-out points with true labels."""
    return float((cells["student_ece_scaled"] - cells["weak_ece_scaled"]).mean())


def mean_overconfidence_change(cells: pd.DataFrame) -> float:
    """Mean confidence less accuracy of the student, minus that of its teacher."""
    return float((cells["student_overconfidence"] - cells["weak_overconfidence"]).mean())


def share_gain_above_misfit(cells: pd.DataFrame) -> float:
    """Share of cells with gain >= misfit, B's inequality sample by sample."""
    return float((cells["gain"] >= cells["misfit"] - ROUNDING).mean())


def cross_term_over_misfit(cells: pd.DataFrame) -> float:
    """Mean cross term over mean misfit, 1 - gain / misfit: at most 0 where B's inequality holds on average."""
    return float(cells["cross_term"].mean() / cells["misfit"].mean())


def share_within_bound(cells: pd.DataFrame) -> float:
    """Share of cells with |weak_error - student_error| <= bound (B-1)."""
    return float(((cells["weak_error"] - cells["student_error"]).abs() <= cells["bound"] + ROUNDING).mean())


def bound_violation(cells: pd.DataFrame) -> float:
    """Most by which |weak_error - student_error| exceeds the bound (B-1), in nats; below 0 where all cells keep it."""
    return float(((cells["weak_error"] - cells["student_error"]).abs() - cells["bound"]).max())


def sharp_bound_violation(cells: pd.DataFrame) -> float:
    """The same with the least possible constant."""
    return float(((cells["weak_error"] - cells["student_error"]).abs() - cells["sharp_bound"]).max())


def largest_sharp_tightness(cells: pd.DataFrame) -> float:
    """The most that any cell uses of the bound with the least possible constant."""
    return used(cells, "sharp_bound")


def largest_raised_tightness(cells: pd.DataFrame) -> float:
    """The same where predictions are floored higher than the cells' own: the most at any of the floors measured."""
    return max(float(cells[column].max()) for column in raised_floors(cells).values())


def raised_floors(cells: pd.DataFrame) -> dict[float, str]:
    """Floors above that of the predictions at which the bound was looked at, ascending, and their columns."""
    return dict(sorted((float(name.removeprefix(RAISED)), name) for name in cells if name.startswith(RAISED)))


def used(cells: pd.DataFrame, bound: str) -> float:
    """The largest |weak_error - student_error| / bound of the cells whose bound is not zero."""
    some = cells[cells[bound] > 0]
    return float(((some["weak_error"] - some["student_error"]).abs() / some[bound]).max())


def smooth_violation(cells: pd.DataFrame) -> float:
    """Most by which the change of the smooth calibration error exceeds twice the width of B-3 in any cell."""
    change = (cells["weak_smooth"] - cells["student_smooth"]).abs()
    return float((change - 2 * cells["calibration_bound"]).max())


def mce_violation(cells: pd.DataFrame) -> float:
    """Most by which the change of the binned marginal calibration error exceeds the width of B-3 in any cell."""
    change = (cells["weak_mce"] - cells["student_mce"]).abs()
    return float((change - cells["calibration_bound"]).max())


def kl_identity_residual(cells: pd.DataFrame) -> float:
    """Largest |misfit - gain - cross_term| over the cells, in nats."""
    return float((cells["misfit"] - cells["gain"] - cells["cross_term"]).abs().max())


def gain_bound_violation(cells: pd.DataFrame) -> float:
    """Most by which gain stays below misfit - log(1 / gamma) sqrt(2 epsilon) (B-5, convex class), in nats."""
    return float((cells["gain_bound"] - cells["gain"]).max())


def mean_student_accuracy(cells: pd.DataFrame) -> float:
    """Accuracy of the students."""
    return float(cells["student_accuracy"].mean())


def mean_student_ece(cells: pd.DataFrame) -> float:
    """Calibration error (ECE) of the students."""
    return float(cells["student_ece"].mean())


def over_epochs(cells: pd.DataFrame) -> pd.DataFrame:
    """Means of the cells of each epoch, by epoch, in the columns that move along training."""
    return cells.groupby("epoch")[list(ALONG)].mean().sort_index()


CLASSIFICATION: dict[str, Statistic] = {
    function.__name__: function
    for function in (
        mean_accuracy_gain,
        mean_ece_change,
        mean_scaled_ece_change,
        mean_overconfidence_change,
        share_gain_above_misfit,
        cross_term_over_misfit,
        share_within_bound,
        bound_violation,
        sharp_bound_violation,
        largest_sharp_tightness,
        largest_raised_tightness,
        smooth_violation,
        mce_violation,
        kl_identity_residual,
        gain_bound_violation,
        mean_student_accuracy,
        mean_student_ece,
    )
}
SHOWN: tuple[Statistic, ...] = (
    gain_over_misfit,
    mean_gain,
    mean_misfit,
    mean_accuracy_gain,
    mean_ece_change,
    share_within_bound,
    largest_sharp_tightness,
)


UNDEFINED = Estimate(np.nan, np.nan, np.nan, 0)


def by_unit(cells: pd.DataFrame, unit: str, groups: tuple[str, ...], confidence: float) -> dict[str, Any]:
    """Statistics per unit, then mean and interval over units, nested by the grouping columns."""
    return nested(cells, unit, groups, lambda members: _summary(members, confidence))


def _summary(members: list[pd.DataFrame], confidence: float) -> dict[str, Any]:
    shown = (*SHOWN, correlation) if min(map(len, members)) > 2 else SHOWN
    return {statistic.__name__: _estimate(statistic, members, confidence) for statistic in shown}


def _estimate(statistic: Statistic, members: list[pd.DataFrame], confidence: float) -> dict[str, float | None]:
    over = intervals.correlation_over_units if statistic is correlation else intervals.over_units
    values = [statistic(member) for member in members]
    # Undefined where nothing varies, as of students that stay where their teacher is.
    return ends(over(values, confidence)) if np.isfinite(values).all() else ends(UNDEFINED)
