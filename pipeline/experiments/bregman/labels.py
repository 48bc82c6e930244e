"""Let each teacher label the student's inputs.  An item a world: `student`, probabilities (n, c), floored."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.bregman.settings import Settings
from pipeline.models.softmax import combined
from pipeline.theory.divergence import floored

FLOOR = 1e-4  # of every prediction that meets a logarithm


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Weak labels of every world."""
    return {world.name: {"student": label(world.name, world.kind, upstream)} for world in settings.data.worlds()}


def label(name: str, kind: str, upstream: Mapping[str, Any]) -> np.ndarray:
    """Of a hull its drawn teacher; else what the trained one says."""
    if kind == "hull":
        return upstream["data"][name]["teacher"]
    return floored(combined.predict(upstream["represent"][name]["weak.student"], upstream["weak"][name]), FLOOR)
