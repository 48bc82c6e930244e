"""Draw types, labels and signs of every example; noise is drawn where it is needed, but for its part along the teacher.

One item per point: `student.*`, `validation.*` and `test.*`, arrays (seeds, ...).  The test holds equally many examples
of each type, one type after the other.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.feature_learning.common import digits, points
from pipeline.experiments.feature_learning.common.points import DIGITS, KINDS, Point
from pipeline.experiments.feature_learning.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Examples of every point."""
    return {point.name: _examples(point, settings) for point in points.points(settings.data)}


def _examples(point: Point, settings: Settings) -> Arrays:
    own = settings.data
    counts = {"student": point.samples, "validation": own.validation}
    found = {}
    for seed in own.seeds:
        kinds = {
            part: points.stream(point, seed, f"{part}/kinds").choice(len(KINDS), count, p=point.chances)
            for part, count in counts.items()
        }
        kinds["test"] = np.repeat(np.arange(len(KINDS)), own.test)
        for part, kind in kinds.items():
            generator = points.stream(point, seed, part)
            if point.panel == DIGITS:
                examples = digits.drawn(generator, kind, own.digits, seed, part)
            else:
                examples = points.drawn(generator, kind)
            for name, values in examples.items():
                found.setdefault(f"{part}.{name}", []).append(values)
    return {name: np.stack(values) for name, values in found.items()}
