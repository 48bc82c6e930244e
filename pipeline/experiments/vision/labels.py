"""Let each teacher label the student's images, by its probabilities (soft) or by its most probable class (hard).

An item a seed: `<teacher>/<soft|hard>` -> (n, classes), floored.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.vision.settings import Settings
from pipeline.theory.divergence import floored


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Weak labels of every seed."""
    return {
        f"seed-{seed}": label(upstream["weak"][f"seed-{seed}"], settings.data.floor) for seed in settings.data.seeds
    }


def label(taught: Arrays, floor: float) -> Arrays:
    """Both kinds of labels of every teacher."""
    found = {}
    for key, probabilities in taught.items():
        teacher, part = key.split("/")
        if part == "student":
            hard = np.eye(probabilities.shape[1])[probabilities.argmax(axis=1)]
            found |= {f"{teacher}/soft": floored(probabilities, floor), f"{teacher}/hard": floored(hard, floor)}
    return found
