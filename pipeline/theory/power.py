"""What an inconclusive question could have seen, and how many units would decide it with 80 % power.

Both take the observed effect, the distance from what was measured to the nearer end of the expected band, for the true
one.  None: no number of units (up to a million) would do, because the effect is nothing, or because the units share
rows (see ``intervals.over_units``).
"""

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from scipy import stats
from scipy.special import stdtrit

from .intervals import binomial_ends

POWER = 0.8
MOST = 1_000_000


def for_mean(values: Sequence[float], distance: float, overlap: float, confidence: float) -> int | None:
    """Units for which t interval and power fit into the distance: (t + t_power)^2 s^2 (1/n + overlap) <= distance^2."""
    spread = float(np.std(values, ddof=1))

    def fits(units: int) -> bool:
        reach = stdtrit(units - 1, (1 + confidence) / 2) + stdtrit(units - 1, POWER)
        return bool((reach * spread) ** 2 * (1 / units + overlap) <= distance**2)

    units = 2 + bisect_left(range(2, MOST + 1), True, key=fits)
    return units if units <= MOST else None


def for_share(share: float, ends: tuple[float, float], overlap: float, confidence: float) -> int | None:
    """Units of which the binomial interval excludes, or lies within, the band in 80 % of draws at this true share."""
    for units in _ladder():
        hits, alone = np.arange(units + 1), 1 / (1 / units + overlap)
        low, high = binomial_ends(hits / units * alone, alone, confidence)
        decides = ((low >= ends[0]) & (high <= ends[1])) | (high < ends[0]) | (low > ends[1])
        if stats.binom.pmf(hits, units, share)[decides].sum() >= POWER:
            return units
    return None


def for_median(values: Sequence[float], end: float, confidence: float) -> int | None:
    """Units for which a sign test against the nearer end decides, at the observed share of units beyond it."""
    above = float(np.mean(np.asarray(values) > end))
    return for_share(above, (0.5, 0.5), 0.0, confidence)


def for_rows(rows: int, half_width: float, distance: float, confidence: float) -> int | None:
    """Test rows: the half width falls with their root."""
    reach = 1 + stats.norm.ppf(POWER) / stats.norm.ppf((1 + confidence) / 2)
    needed = rows * (half_width * reach / distance) ** 2 if distance else math.inf
    return math.ceil(needed) if needed <= MOST else None


def _ladder() -> list[int]:
    """Numbers of units that are tried: all to 100, then in steps of about 5 %, to 20,000."""
    steps = [*range(2, 101)]
    while steps[-1] < 20_000:
        steps.append(math.ceil(steps[-1] * 1.05))
    return steps
