"""Statistics that only claims use, beside those of statistics.py: one number for a set of cells."""

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.summary import selection
from pipeline.summary.classification import CLASSIFICATION
from pipeline.summary.columns import COLUMNS
from pipeline.summary.contrastive import CONTRASTIVE
from pipeline.summary.feature_learning import FEATURE_LEARNING
from pipeline.summary.images import IMAGES
from pipeline.summary.predictions import PREDICTIONS
from pipeline.summary.refinement import REFINEMENT
from pipeline.summary.shift import SHIFT
from pipeline.summary.statistics import STATISTICS, Statistic, gain_over_misfit, pooled_rho
from pipeline.theory import bounds
from pipeline.theory.selection import expected_regret_at_random

HEAD_PARAMETERS = 17  # of a linear head with intercept on the 16 outputs of every network of `synthetic`


def identity_residual(cells: pd.DataFrame) -> float:
    """Largest |misfit - gain - 2 cross_term| over the cells, as a share of the largest weak error."""
    residual = cells["misfit"] - cells["gain"] - 2 * cells["cross_term"]
    return float(residual.abs().max() / cells["weak_error"].max())


def example_violation(pairs: pd.DataFrame) -> float:
    """Most by which the marginal calibration error of a pair of predictors changes beyond the width of B-3."""
    return float(((pairs["student_error"] - pairs["teacher_error"]).abs() - pairs["width"]).max())


def mean_log_weak_error(cells: pd.DataFrame) -> float:
    """Mean logarithm of the teachers' errors: a difference of two is the logarithm of a ratio."""
    return float(np.log(cells["weak_error"]).mean())


def regret_beyond_largest(cells: pd.DataFrame) -> float:
    """Regret of the rule of Charikar et al. on test molecules less that of the largest model, in regrets by lot."""
    return _regret_beyond(cells, "largest_model", "test")


def train_bound_violation(cells: pd.DataFrame) -> float:
    """Most by which any student misses the explicit bound on the molecules it was fitted on, as a share of misfit."""
    return float(((cells["train_bound"] - cells["train_gain"]) / cells["train_misfit"]).max())


def largest_train_slope(cells: pd.DataFrame) -> float:
    """Largest mean norm of the gradient of the label's log-probability in masked inputs, on the student's own rows."""
    return float(cells["train_slope"].max())


def train_gain_over_misfit(cells: pd.DataFrame) -> float:
    """Mean gain over mean misfit on the rows that the students were fitted on, where they are exact projections."""
    return float(cells["train_gain"].mean() / cells["train_misfit"].mean())


def mean_room(cells: pd.DataFrame) -> float:
    """Mean error of the teachers less that of the ceilings: what true labels would bring."""
    return float((cells["weak_error"] - cells["ceiling_error"]).mean())


def median_gap_over_misfit(cells: pd.DataFrame) -> float:
    """Median of misfit - gain over the tasks, as a share of the mean misfit."""
    return float((cells["misfit"] - cells["gain"]).median() / cells["misfit"].mean())


def gain_over_misfit_by_law(cells: pd.DataFrame) -> float:
    """1 - 2 rho sqrt(epsilon / misfit), rho that of all cells: gain over misfit of a projection on a linear class."""
    return float(bounds.gain_over_misfit(pooled_rho(cells), cells["epsilon"].mean(), cells["misfit"].mean()))


def gain_over_misfit_by_sample_size(cells: pd.DataFrame) -> float:
    """1 - 2 d / n for least squares with d = 17 parameters on n new points, where the class holds the truth.

    The fit takes over d / n of the teacher's error that the class cannot reach, which is the misfit: student error and
    misfit both rise by that, gain falls by it, and so gain / misfit falls by 2 d / n to first order.
    """
    return float(1 - 2 * HEAD_PARAMETERS / cells["n_train"].mean())


def realizability_rank_correlation(cells: pd.DataFrame) -> float:
    """Spearman correlation of gain/misfit with rho, of the unreachable parts, over the pretrainings of one seed."""
    members = [member for _, member in cells.groupby(["schedule", "epochs"])]
    ratios = [gain_over_misfit(member) for member in members]
    return float(stats.spearmanr(ratios, [pooled_rho(member) for member in members]).statistic)


def share_picked_best(cells: pd.DataFrame) -> float:
    """Share of draws in which the smallest (weak error - misfit) on test molecules picks the best student."""
    regrets = [selection.regret(draw, selection.PAPER, "test") for draw in selection.by_draw(cells)]
    return float(np.mean([regret == 0 for regret in regrets]))


def regret_over_lot(cells: pd.DataFrame) -> float:
    """Regret of that rule as a share of the expected regret of a choice by lot; 0 is best, 1 is chance."""
    draws = list(selection.by_draw(cells))
    return float(np.mean([selection.regret(draw, selection.PAPER, "test") for draw in draws]) / _by_lot(draws))


def regret_beyond_weak_error(cells: pd.DataFrame) -> float:
    """Regret of that rule less that of the lowest weak error, both by the validation part, in regrets by lot."""
    return _regret_beyond(cells, "lowest_weak_error", "valid")


def performance_gap_recovered(cells: pd.DataFrame) -> float:
    """PGR of Burns et al., the median over pairs of teacher and student; NaN, so an error, where no pair has a gap."""
    gap, gain = (cells[f"{role}_accuracy"] - cells["weak_accuracy"] for role in ("ceiling", "student"))
    return float((gain / gap)[gap > 0].median())


def share_pgr_undefined(cells: pd.DataFrame) -> float:
    """Share of cells whose ceiling does not beat the teacher by more than the test rows can tell."""
    return float((cells["pgr_defined"] == 0).mean())


def mean_log_student_error(cells: pd.DataFrame) -> float:
    """Mean logarithm of the students' errors: a difference of two is the logarithm of a ratio."""
    return float(np.log(cells["student_error"]).mean())


def _regret_beyond(cells: pd.DataFrame, other: str, sample: str) -> float:
    """Regret of the rule of Charikar et al. less that of another rule, as a share of the expected regret of a lot."""
    draws = list(selection.by_draw(cells))
    regrets = [[selection.regret(draw, rule, sample) for draw in draws] for rule in (selection.PAPER, other)]
    return float((np.mean(regrets[0]) - np.mean(regrets[1])) / _by_lot(draws))


def _by_lot(draws: list[pd.DataFrame]) -> float:
    return float(np.mean([expected_regret_at_random(draw["student_error"]) for draw in draws]))


JUDGED: dict[str, Statistic] = {
    **STATISTICS,
    **CLASSIFICATION,
    **COLUMNS,
    **CONTRASTIVE,
    **REFINEMENT,
    **SHIFT,
    **FEATURE_LEARNING,
    **PREDICTIONS,
    **IMAGES,
    **{
        function.__name__: function
        for function in (
            identity_residual,
            example_violation,
            mean_log_weak_error,
            regret_beyond_largest,
            train_bound_violation,
            train_gain_over_misfit,
            largest_train_slope,
            mean_room,
            median_gap_over_misfit,
            gain_over_misfit_by_law,
            gain_over_misfit_by_sample_size,
            realizability_rank_correlation,
            share_picked_best,
            regret_over_lot,
            regret_beyond_weak_error,
            performance_gap_recovered,
            share_pgr_undefined,
            mean_log_student_error,
        )
    },
}
