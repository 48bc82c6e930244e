"""Statistics that only claims use, beside those of statistics.py: one number for a set of cells."""

import pandas as pd
from scipy import stats

from pipeline.summary.statistics import STATISTICS, Statistic, epsilon_over_weak_error, gain_over_misfit


def identity_residual(cells: pd.DataFrame) -> float:
    """Largest |misfit - gain - 2 cross_term| over the cells, as a share of the largest weak error."""
    residual = cells["misfit"] - cells["gain"] - 2 * cells["cross_term"]
    return float(residual.abs().max() / cells["weak_error"].max())


def mean_weak_error(cells: pd.DataFrame) -> float:
    """Mean error of the teachers: the scale on which gain and misfit of a seed or data set live."""
    return float(cells["weak_error"].mean())


def realizability_rank_correlation(cells: pd.DataFrame) -> float:
    """Spearman correlation of gain/misfit with epsilon/weak_error over the strong pretrainings of one seed."""
    members = [member for _, member in cells.groupby(["schedule", "epochs"])]
    ratios = [gain_over_misfit(member) for member in members]
    return float(stats.spearmanr(ratios, [epsilon_over_weak_error(member) for member in members]).statistic)


JUDGED: dict[str, Statistic] = {
    **STATISTICS,
    **{
        function.__name__: function for function in (identity_residual, mean_weak_error, realizability_rank_correlation)
    },
}
