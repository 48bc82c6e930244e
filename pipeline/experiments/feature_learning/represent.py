"""What the examples are made of: of synthetic points the numbers on which theory looks, of digits the patches."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.core.parallel import Pool
from pipeline.experiments.feature_learning.common import digits
from pipeline.experiments.feature_learning.common.points import points
from pipeline.experiments.feature_learning.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Item `images`: `patches` (1797, 64).  Item `points`: name, A = n |nu|^2 / d and B = n p_b^2 |nu|^4 / d."""
    rows = [(point.name, point.signal, point.bridge) for point in points(settings.data)]
    return {
        "points": pd.DataFrame(rows, columns=["name", "A", "B"]),
        "images": {"patches": digits.images(settings.data.digits)},
    }
