"""Statistics of simulated predictions (studies bregman and gallery): how near theory is, and where it ends."""

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.summary.statistics import Statistic

WIDEST = 4  # teachers over which an exponent is fitted


def measured_over_predicted(cells: pd.DataFrame) -> float:
    """Geometric mean of what was measured over what the paper's formula says."""
    return float(np.exp(np.log(cells["measured"] / cells["predicted"]).mean()))


def measured_over_exact(cells: pd.DataFrame) -> float:
    """The same over our formula for Gaussian features at any sample size."""
    return float(np.exp(np.log(cells["measured"] / cells["exact"]).mean()))


def measured_less_predicted(cells: pd.DataFrame) -> float:
    """Mean difference of what was measured from what the formula says."""
    return float((cells["measured"] - cells["predicted"]).mean())


def mean_measured(cells: pd.DataFrame) -> float:
    """Mean of what was measured, in the units of its item."""
    return float(cells["measured"].mean())


def student_exponent(cells: pd.DataFrame) -> float:
    """Slope of the logarithm of the student's error by that of the teacher's, over the widest teachers."""
    widest = cells.nlargest(WIDEST, "level")
    return float(np.polyfit(np.log(widest["weak_error"]), np.log(widest["student_error"]), 1)[0])


def square_violation(cells: pd.DataFrame) -> float:
    """Most by which a student's error falls below the square of its teacher's."""
    return float((cells["weak_error"] ** 2 - cells["student_error"]).max())


def largest_change(cells: pd.DataFrame) -> float:
    """Largest absolute difference between the errors of student and teacher."""
    return float(cells["gain"].abs().max())


def ruled_mask_over_gold(cells: pd.DataFrame) -> float:
    """Risk with the mask nearest to what the paper's rule keeps, but not all, over that of true labels."""
    masks = cells[cells["level"] < cells["level"].max()]
    nearest = (masks["level"] - masks["best_kept"]).abs().idxmin()
    return float(cells.loc[nearest, "measured"] / cells.loc[nearest, "ceiling_error"])


def best_mask_over_gold(cells: pd.DataFrame) -> float:
    """Least risk with any mask, but for that which keeps all, over that of true labels."""
    masks = cells[cells["level"] < cells["level"].max()]
    return float((masks["measured"] / masks["ceiling_error"]).min())


def correction_excess(cells: pd.DataFrame) -> float:
    """Most by which a student's error exceeds the correction bound, as a share of points."""
    return float(cells["bound_excess"].max())


def coverage_excess(cells: pd.DataFrame) -> float:
    """The same of the coverage bound on points that the teacher leaves out."""
    return float(cells["coverage_excess"].max())


def snr_slope(cells: pd.DataFrame) -> float:
    """Slope of the logarithm of signal over contamination by log n, over the bases."""
    return float(np.polyfit(np.log(cells["base"]), np.log(cells["snr"].clip(lower=1e-3)), 1)[0])


def predicted_snr_slope(cells: pd.DataFrame) -> float:
    """The same of the prediction at these n; (u - u*) / 2 for n without end."""
    return float(np.polyfit(np.log(cells["base"]), np.log(cells["predicted_snr"]), 1)[0])


def projection_excess(cells: pd.DataFrame) -> float:
    """Most by which misfit exceeds gain beyond the solver's certificate, as a share of the teacher's error."""
    return float(((cells["cross_term"] - cells["certificate"]) / cells["weak_error"]).max())


def reach_rank_correlation(cells: pd.DataFrame) -> float:
    """Spearman correlation of (misfit - gain) / weak error with the truth's distance from the class, same scale.

    Mean over generators and numbers of heads and classes, of each the correlation over shares out of reach.
    """
    scaled = cells.assign(**{name: cells[name] / cells["weak_error"] for name in ("cross_term", "epsilon")})
    groups = scaled.groupby(["generator", "heads", "classes"])
    return float(np.mean([stats.spearmanr(own["cross_term"], own["epsilon"]).statistic for _, own in groups]))


def excess_explained_by_heads(cells: pd.DataFrame) -> float:
    """Which share of misfit - gain with one head is gone with the most heads."""
    by_heads = cells.groupby("heads")["cross_term"].mean().sort_index()
    return float(1 - by_heads.iloc[-1] / by_heads.iloc[0])


def discrepancy_over_weak_error(cells: pd.DataFrame) -> float:
    """(gain - misfit) / weak error, of means."""
    return float(-cells["cross_term"].mean() / cells["weak_error"].mean())


PREDICTIONS: dict[str, Statistic] = {
    function.__name__: function
    for function in (
        measured_over_predicted,
        measured_over_exact,
        measured_less_predicted,
        mean_measured,
        student_exponent,
        square_violation,
        largest_change,
        ruled_mask_over_gold,
        best_mask_over_gold,
        correction_excess,
        coverage_excess,
        snr_slope,
        predicted_snr_slope,
        projection_excess,
        reach_rank_correlation,
        excess_explained_by_heads,
        discrepancy_over_weak_error,
    )
}
