"""What a claim asks, and the answer.  A question has its own interval and its own rule for the verdict.

mean, equivalence, law: mean over units, Student's t; units that share rows by Nadeau and Bengio (2003).
median: between two order statistics; for statistics with a heavy tail, of which t does not cover the mean.
ratio: of two means over units, linearised; a mean of ratios would explode where one denominator is small.
share: units that are hits, Clopper and Pearson (1934).
prediction: a number that is given lies where one further unit would; between order statistics from 39 units on, else t.
universal: the largest violation over all cells; one beyond rounding is enough to fail.

How often each interval covers, on shapes like ours, stands in tests/test_coverage.py.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from pipeline.summary.estimates import within_range
from pipeline.summary.statements import TEST_ROW, Band, Claim
from pipeline.theory import intervals, power
from pipeline.theory.intervals import Estimate

Verdict = Literal["holds", "fails", "inconclusive", "not run"]
# What is left of a spread when values are equal but for their last digits.
NO_SPREAD = 1e-12


def estimate(claim: Claim, values: Sequence[float], overlap: float, confidence: float) -> Estimate:
    """What was measured, one value a unit, with the interval that the question calls for."""
    if claim.question == "prediction":
        return intervals.prediction(values, confidence)
    if claim.question == "share":
        return intervals.share_of_units(len(hits(claim, values)), len(values), confidence, overlap)
    if claim.question == "median":
        if overlap:
            remedy = f"it has no interval over a {claim.over} that shares rows with the others; ask for the mean"
            raise claim.wrong("question", claim.question, remedy)
        return intervals.median_over_units(values, confidence)
    whole = claim.statistic if claim.against is None else "difference"
    return within_range(whole, intervals.over_units(values, confidence, overlap))


def hits(claim: Claim, values: Sequence[float]) -> list[float]:
    """Values within the band that makes a unit a hit."""
    low, high = (claim.hit or claim.expected).ends()
    return [value for value in values if low <= value <= high]


def verdict(question: str, expected: Band, found: Estimate) -> Verdict:
    """Whether a claim holds, by the rule of its question."""
    if question == "universal":
        return "holds" if found.value <= expected.ends()[1] else "fails"
    if without_spread(found) or not math.isfinite(found.low):
        return "inconclusive"
    if expected.value is not None:
        return "holds" if found.low <= expected.value <= found.high else "fails"
    return placed(found, expected)


def placed(found: Estimate, expected: Band) -> Verdict:
    """Interval wholly inside the band: holds; wholly outside: fails; else inconclusive."""
    low, high = expected.ends()
    if found.low >= low and found.high <= high:
        return "holds"
    return "fails" if found.high < low or found.low > high else "inconclusive"


def without_spread(found: Estimate) -> bool:
    """Whether all units gave the same value, so that the interval has no width and can decide nothing."""
    return found.high - found.low <= NO_SPREAD * max(1.0, abs(found.value))


def units_needed(
    claim: Claim, values: Sequence[float], found: Estimate, overlap: float, confidence: float
) -> int | None:
    """How many units would decide an inconclusive claim with 80 % power, were the observed effect the true one."""
    ends = [end for end in claim.expected.ends() if math.isfinite(end)]
    nearest = min(ends, key=lambda end: abs(end - found.value))
    if claim.over == TEST_ROW:
        return power.for_rows(found.n, found.value - found.low, abs(nearest - found.value), confidence)
    if claim.question == "share":
        return power.for_share(found.value, claim.expected.ends(), overlap, confidence)
    if claim.question == "median":
        return power.for_median(values, nearest, confidence)
    if claim.question == "prediction" or len(values) < 2 or without_spread(found):
        return None
    return power.for_mean(values, abs(nearest - found.value), overlap, confidence)


def half_width(found: Estimate) -> float:
    """Half the width of the interval: an effect of that size would have been seen in half of all draws."""
    return float(np.subtract(found.high, found.low)) / 2
