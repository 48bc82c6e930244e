"""Read the images and divide them by seed.

Items: `images` with pixels (n, side, side, 3) of bytes and labels (n,), class after class; `seed-<seed>` with the rows
of each part.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.vision.common import images
from pipeline.experiments.vision.settings import PARTS, Data, Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Images and parts."""
    read = images.read(settings.data)
    labels = read["labels"]
    return {"images": read, **{f"seed-{seed}": divide(seed, labels, settings.data) for seed in settings.data.seeds}}


def divide(seed: int, labels: np.ndarray, data: Data) -> Arrays:
    """Disjoint parts of one seed.  Raises InputError where a part lacks a class."""
    order = streams.generator(seed, "vision/parts").permutation(len(labels))
    ends = np.cumsum([data.teacher, data.student, data.calibration])
    parts = dict(zip(PARTS, np.split(order, ends), strict=True))
    for part, rows in parts.items():
        missing = sorted(set(range(len(data.classes))) - set(labels[rows].tolist()))
        if missing:
            lacking = f"seed {seed}: no image of class '{data.classes[missing[0]]}' among the {len(rows)} of {part}"
            raise InputError(f"{lacking}; raise data.{'per_class' if part == 'test' else part} in {{where}}")
    return parts
