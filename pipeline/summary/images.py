"""Statistics of the study `vision`: where misfit and gain come from (columns of experiments/vision/common/anatomy)."""

import pandas as pd

from pipeline.summary.statistics import Statistic


def excess_out_of_reach(cells: pd.DataFrame) -> float:
    """Which share of misfit - gain is gone when the best head on true labels stands for the truth, of means."""
    return float((cells["gain_reachable"] - cells["gain"]).mean() / cells["cross_term"].mean())


def gain_by_scaling(cells: pd.DataFrame) -> float:
    """By how much the gain grows when teacher and student are scaled in temperature on held-out labels, in nats."""
    return float((cells["gain_scaled"] - cells["gain"]).mean())


def dual_gain_over_misfit(cells: pd.DataFrame) -> float:
    """Gain over misfit in the dual direction, KL(., truth), with the best head on true labels as truth, of means."""
    return float(cells["dual_gain"].mean() / cells["dual_misfit"].mean())


def own_dual_gain_over_misfit(cells: pd.DataFrame) -> float:
    """The same on the images that the student has learned from."""
    return float(cells["own_dual_gain"].mean() / cells["own_dual_misfit"].mean())


def excess_on_own_images(cells: pd.DataFrame) -> float:
    """Misfit - gain on the images that the student has learned from, as a share of that on new ones, of means."""
    return float((cells["own_misfit"] - cells["own_gain"]).mean() / cells["cross_term"].mean())


IMAGES: dict[str, Statistic] = {
    function.__name__: function
    for function in (
        excess_out_of_reach,
        gain_by_scaling,
        dual_gain_over_misfit,
        own_dual_gain_over_misfit,
        excess_on_own_images,
    )
}
