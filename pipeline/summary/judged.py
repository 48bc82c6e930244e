"""Statistics that only claims use, beside those of statistics.py: one number for a set of cells."""

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.summary import selection
from pipeline.summary.classification import CLASSIFICATION
from pipeline.summary.statistics import STATISTICS, Statistic, epsilon_over_weak_error, gain_over_misfit
from pipeline.theory.selection import expected_regret_at_random


def identity_residual(cells: pd.DataFrame) -> float:
    """Largest |misfit - gain - 2 cross_term| over the cells, as a share of the largest weak error."""
    residual = cells["misfit"] - cells["gain"] - 2 * cells["cross_term"]
    return float(residual.abs().max() / cells["weak_error"].max())


def share_of_examples_within_width(pairs: pd.DataFrame) -> float:
    """Share of pairs of predictors whose marginal calibration error changes by no more than the width of B-3."""
    return float(((pairs["student_error"] - pairs["teacher_error"]).abs() <= pairs["width"]).mean())


def mean_weak_error(cells: pd.DataFrame) -> float:
    """Mean error of the teachers: the scale on which gain and misfit of a seed or data set live."""
    return float(cells["weak_error"].mean())


def ceiling_over_weak_error(cells: pd.DataFrame) -> float:
    """What the student could reach with true labels, as a share of the teachers' error."""
    return float(cells["ceiling_error"].mean() / cells["weak_error"].mean())


def misfit_over_weak_error(cells: pd.DataFrame) -> float:
    """How far students depart from their teachers, as a share of the teachers' error."""
    return float(cells["misfit"].mean() / cells["weak_error"].mean())


def share_above_train_bound(cells: pd.DataFrame) -> float:
    """Share of students that keep the explicit bound on the molecules they were fitted on, to rounding."""
    slack = 1e-6 * cells["train_misfit"]
    return float((cells["train_gain"] >= cells["train_bound"] - slack).mean())


def realizability_rank_correlation(cells: pd.DataFrame) -> float:
    """Spearman correlation of gain/misfit with epsilon/weak_error over the strong pretrainings of one seed."""
    members = [member for _, member in cells.groupby(["schedule", "epochs"])]
    ratios = [gain_over_misfit(member) for member in members]
    return float(stats.spearmanr(ratios, [epsilon_over_weak_error(member) for member in members]).statistic)


def share_picked_best(cells: pd.DataFrame) -> float:
    """Share of draws in which the smallest (weak error - misfit) on test molecules picks the best student."""
    regrets = [selection.regret(draw, selection.PAPER, "test") for draw in selection.by_draw(cells)]
    return float(np.mean([regret == 0 for regret in regrets]))


def regret_over_lot(cells: pd.DataFrame) -> float:
    """Regret of that rule as a share of the expected regret of a choice by lot; 0 is best, 1 is chance."""
    draws = list(selection.by_draw(cells))
    by_lot = [expected_regret_at_random(draw["student_error"]) for draw in draws]
    return float(np.mean([selection.regret(draw, selection.PAPER, "test") for draw in draws]) / np.mean(by_lot))


def regret_beyond_weak_error(cells: pd.DataFrame) -> float:
    """Regret of that rule less the regret of the lowest weak error, both read off the validation part."""
    return float(
        np.mean(
            [
                selection.regret(draw, selection.PAPER, "valid") - selection.regret(draw, "lowest_weak_error", "valid")
                for draw in selection.by_draw(cells)
            ]
        )
    )


def performance_gap_recovered(cells: pd.DataFrame) -> float:
    """PGR of Burns et al. from mean accuracies; NaN, so an error, where the ceiling is not above the teachers."""
    weak, student, ceiling = (float(cells[f"{role}_accuracy"].mean()) for role in ("weak", "student", "ceiling"))
    return (student - weak) / (ceiling - weak) if ceiling > weak else float("nan")


def share_pgr_undefined(cells: pd.DataFrame) -> float:
    """Share of cells whose ceiling does not beat the teacher by more than the test rows can tell."""
    return float((cells["pgr_defined"] == 0).mean())


def mean_copied(cells: pd.DataFrame) -> float:
    """Share of the teacher's errors that the students repeat."""
    return float(cells["copied"].mean())


JUDGED: dict[str, Statistic] = {
    **STATISTICS,
    **CLASSIFICATION,
    **{
        function.__name__: function
        for function in (
            identity_residual,
            mean_weak_error,
            share_of_examples_within_width,
            ceiling_over_weak_error,
            misfit_over_weak_error,
            share_above_train_bound,
            realizability_rank_correlation,
            share_picked_best,
            regret_over_lot,
            regret_beyond_weak_error,
            performance_gap_recovered,
            share_pgr_undefined,
            mean_copied,
        )
    },
}
