"""Hard pseudo-labels of the student's examples, +1 or -1, (seeds, n): the sign of its teacher."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.feature_learning.common import points
from pipeline.experiments.feature_learning.common.teachers import told
from pipeline.experiments.feature_learning.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """One item per point."""
    images = upstream["represent"]["images"]["patches"]
    return {
        point.name: {"student": told(point, settings.data.seeds, "student", upstream["data"], upstream["weak"], images)}
        for point in points.points(settings.data)
    }
