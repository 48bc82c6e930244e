"""Statistics of the study `vision`: where misfit and gain come from (columns of experiments/vision/common/anatomy)."""

import pandas as pd

from pipeline.summary.statistics import Statistic


def excess_out_of_reach(cells: pd.DataFrame) -> float:
    """Which share of misfit - gain is gone when the best head on true labels stands for the truth, of means."""
    return float((cells["gain_reachable"] - cells["gain"]).mean() / cells["cross_term"].mean())


def gain_where_right(cells: pd.DataFrame) -> float:
    """What images on which the teacher is right add to the gain, in nats."""
    return float(cells["gain_right"].mean())


def gain_where_wrong(cells: pd.DataFrame) -> float:
    """What images on which the teacher is wrong add to the gain, in nats."""
    return float(cells["gain_wrong"].mean())


def misfit_share_where_right(cells: pd.DataFrame) -> float:
    """Share of the misfit that lies on images on which the teacher is right, of means."""
    return float(cells["misfit_right"].mean() / cells["misfit"].mean())


def gain_by_scaling(cells: pd.DataFrame) -> float:
    """By how much the gain grows when teacher and student are scaled in temperature on held-out labels, in nats."""
    return float((cells["gain_scaled"] - cells["gain"]).mean())


def excess_left_by_scaling(cells: pd.DataFrame) -> float:
    """Which share of misfit - gain is left after temperature scaling of both, of means."""
    return float((cells["misfit_scaled"] - cells["gain_scaled"]).mean() / cells["cross_term"].mean())


def dual_gain_over_misfit(cells: pd.DataFrame) -> float:
    """Gain over misfit in the dual direction, KL(., truth), with the best head on true labels as truth, of means."""
    return float(cells["dual_gain"].mean() / cells["dual_misfit"].mean())


def own_dual_gain_over_misfit(cells: pd.DataFrame) -> float:
    """The same on the images that the student has learned from."""
    return float(cells["own_dual_gain"].mean() / cells["own_dual_misfit"].mean())


def excess_on_own_images(cells: pd.DataFrame) -> float:
    """Misfit - gain on the images that the student has learned from, as a share of that on new ones, of means."""
    return float((cells["own_misfit"] - cells["own_gain"]).mean() / cells["cross_term"].mean())


def mean_explained(cells: pd.DataFrame) -> float:
    """Share of the variance of the teacher's probabilities that the student's explain on new images."""
    return float(cells["explained"].mean())


IMAGES: dict[str, Statistic] = {
    function.__name__: function
    for function in (
        excess_out_of_reach,
        gain_where_right,
        gain_where_wrong,
        misfit_share_where_right,
        gain_by_scaling,
        excess_left_by_scaling,
        dual_gain_over_misfit,
        own_dual_gain_over_misfit,
        excess_on_own_images,
        mean_explained,
    )
}
