"""Estimates over random splits of one data set: the splits share molecules, so their intervals are corrected for it."""

from collections.abc import Sequence

from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_units_in_logs, ratio_over_units
from pipeline.theory import intervals
from pipeline.theory.intervals import Estimate

MOLECULES = "molecules"


def over_splits(values: Sequence[float], confidence: float) -> Estimate:
    """Mean over splits with the corrected t interval of Nadeau and Bengio."""
    return intervals.over_units(values, confidence, overlap(MOLECULES, "split"))


def over_splits_in_logs(values: Sequence[float], confidence: float) -> Estimate:
    """Geometric mean of positive values over splits, its interval on the log scale."""
    return over_units_in_logs(values, confidence, overlap(MOLECULES, "split"))


def ratio_over_splits(numerators: Sequence[float], denominators: Sequence[float], confidence: float) -> Estimate:
    """Ratio of two means over splits, linearised (the ratio estimator of survey sampling), with the same correction."""
    return ratio_over_units(numerators, denominators, confidence, overlap(MOLECULES, "split"))
