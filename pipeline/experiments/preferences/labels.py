"""Let the teachers label the weak half: as they are, thresholded, or with a share of the labels turned round.

Items: `<dataset>.<seed>`, and `.distinct` -> `<teacher>/<soft|hard>/<noise>`: probabilities of class 1 for the weak
half.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences.common import at_hand, designs
from pipeline.experiments.preferences.settings import Labels, Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Weak labels of every set and seed."""
    settings = at_hand.present(settings, upstream)
    units = designs.units(settings, upstream["data"])
    return {name: label(upstream["weak"][name], settings.labels, name, unit.seed) for name, unit in units.items()}


def label(taught: Arrays, settings: Labels, name: str, seed: int) -> Arrays:
    """Every teacher's labels; only the noise teachers' are made noisy."""
    found = {}
    for key, soft in taught.items():
        teacher, part = key.split("/")
        if part != "weak":
            continue
        found[f"{teacher}/soft/0"] = soft
        found[f"{teacher}/hard/0"] = (soft > 0.5).astype(np.float64)
        for rate in settings.noise if teacher in settings.noise_teachers else ():
            stream = streams.generator(seed, f"preferences/{name}/{teacher}/noise")
            found[f"{teacher}/soft/{rate:g}"] = turned(soft, rate, stream)
    return found


def turned(labels: np.ndarray, rate: float, stream: np.random.Generator) -> np.ndarray:
    """A share ``rate`` of the labels y, drawn at random, becomes 1 - y; a higher rate turns a superset."""
    chosen = stream.random(len(labels)) < rate
    return np.where(chosen, 1 - labels, labels)
