"""Statistics of a set of cells, one number each, by name: metrics, figures and claims all use these."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

Statistic = Callable[[pd.DataFrame], float]


def correlation(cells: pd.DataFrame) -> float:
    """Pearson correlation of gain and misfit over the cells."""
    return float(np.corrcoef(cells["gain"], cells["misfit"])[0, 1])


def mean_gain(cells: pd.DataFrame) -> float:
    """Mean gain, in squared label units."""
    return float(cells["gain"].mean())


def mean_misfit(cells: pd.DataFrame) -> float:
    """Mean misfit, in squared label units."""
    return float(cells["misfit"].mean())


def gain_over_misfit(cells: pd.DataFrame) -> float:
    """Mean gain over mean misfit: 1 where Theorem 1 of Charikar et al. holds with equality; NaN where misfit is 0."""
    return mean_gain(cells) / (mean_misfit(cells) or math.nan)


def share_misfit_above_gain(cells: pd.DataFrame) -> float:
    """Share of cells whose misfit exceeds their gain."""
    return float((cells["misfit"] > cells["gain"]).mean())


def median_gap(cells: pd.DataFrame) -> float:
    """Median of misfit - gain, in squared label units."""
    return float((cells["misfit"] - cells["gain"]).median())


def share_positive_gain(cells: pd.DataFrame) -> float:
    """Share of cells in which the student beats its teacher."""
    return float((cells["gain"] > 0).mean())


def epsilon_over_weak_error(cells: pd.DataFrame) -> float:
    """What the strong class cannot reach, as a share of the teacher's error."""
    return float(cells["epsilon"].mean() / cells["weak_error"].mean())


def pooled_rho(cells: pd.DataFrame) -> float:
    """Correlation of the unreachable parts over all cells: mean cross term over sqrt(mean epsilon * mean misfit)."""
    return float(cells["cross_term"].mean() / np.sqrt(cells["epsilon"].mean() * cells["misfit"].mean()))


def squared_bound_violation(cells: pd.DataFrame) -> float:
    """Most by which gain stays below misfit - 2 sqrt(epsilon * misfit) in any cell, as a share of its misfit."""
    return float(((cells["bound"] - cells["gain"]) / cells["misfit"]).max())


def share_above_bound(cells: pd.DataFrame) -> float:
    """Share of cells with gain >= misfit - 2 sqrt(epsilon * misfit)."""
    return float((cells["gain"] >= cells["bound"]).mean())


def median_relative_gap(cells: pd.DataFrame) -> float:
    """Median of |misfit - gain| / misfit."""
    return float(((cells["misfit"] - cells["gain"]).abs() / cells["misfit"]).median())


def student_error_over_variance(cells: pd.DataFrame) -> float:
    """Student's error as a share of the truth's variance: 1 is what the mean label would reach."""
    return float(cells["student_error"].mean() / cells["truth_variance"].mean())


def gap_recovered(cells: pd.DataFrame) -> float:
    """(weak - student) / (weak - ceiling) of mean errors: the share of what true labels would bring."""
    return mean_gain(cells) / float((cells["weak_error"] - cells["ceiling_error"]).mean())


STATISTICS: dict[str, Statistic] = {
    function.__name__: function
    for function in (
        correlation,
        mean_gain,
        mean_misfit,
        gain_over_misfit,
        share_misfit_above_gain,
        median_gap,
        share_positive_gain,
        epsilon_over_weak_error,
        pooled_rho,
        share_above_bound,
        squared_bound_violation,
        median_relative_gap,
        student_error_over_variance,
        gap_recovered,
    )
}
