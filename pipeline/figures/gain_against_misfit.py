"""What the scatters of misfit against gain share: ranges of the axes, and the line on which both are equal."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pipeline.figures.drawing import EQUAL

GAIN = "gain  d(w, t) − d(s, t)"
MISFIT = "misfit  d(s, w)"
SCATTER = "Scatter of misfit against gain with the line on which both are equal"


def axis_limits(gain: Iterable[float], misfit: Iterable[float]) -> dict[str, tuple[float, float]]:
    """Ranges of both axes: all points, unless one lies further out than the central 96 % is wide.

    Exact heads can throw single tasks much further (rarely active units); those are counted, not drawn.
    """
    gain, misfit = np.asarray(list(gain)), np.asarray(list(misfit))
    both = np.concatenate([gain, misfit])
    low, high = np.quantile(both, [0.02, 0.98])
    span = high - low
    highest = min(both.max(), high + span)
    lowest = {"gain": min(0.0, max(gain.min(), low - span)), "misfit": 0.0}
    margin = 0.05 * (highest - lowest["gain"])
    return {axis: (float(end - margin), float(highest + margin)) for axis, end in lowest.items()}


def square(axes: Axes, limits: dict[str, Any]) -> None:
    """Gain along x and misfit along y on one scale, with the line gain = misfit."""
    ends = [max(limits["gain"][0], limits["misfit"][0]), limits["gain"][1]]
    axes.plot(ends, ends, **EQUAL)
    axes.set(xlim=limits["gain"], ylim=limits["misfit"], aspect="equal")
