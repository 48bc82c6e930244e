"""Split scikit-learn's digits at random, many times.

Items: `digits` with pixels (1797, 64) in [0, 1] and labels (1797,); one per split with the images of each part.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.digits.common.splits import PARTS, stream, unit
from pipeline.experiments.digits.settings import CLASSES, Data, Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Images and splits."""
    pixels, labels = load_digits(return_X_y=True)
    digits = {"pixels": (pixels / 16).astype(np.float32), "labels": labels.astype(np.int64)}
    return {
        "digits": digits,
        **{unit(i): divide(i, digits["labels"], settings.data) for i in range(settings.data.splits)},
    }


def divide(split: int, labels: np.ndarray, data: Data) -> Arrays:
    """Disjoint parts of one split.  Raises InputError where a part lacks a class."""
    order = stream(data.seed, split, "parts").permutation(len(labels))
    ends = np.cumsum([getattr(data, part) for part in PARTS[:-1]])
    parts = dict(zip(PARTS, np.split(order, ends), strict=True))
    for name, images in parts.items():
        missing = set(range(CLASSES)) - set(labels[images].tolist())
        if missing:
            lacking = f"{{experiment}} split {split}: no image of class {min(missing)} in {name}"
            raise InputError(f"{lacking}; enlarge data.{name} in {{where}}")
    return parts
