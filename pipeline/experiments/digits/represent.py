"""Represent all images: random ReLU features of growing width for the students, poor views for the teachers.

Random features have seen no label and no other image: a ladder of strength without a training choice, and on each a
softmax head is convex in its logits.  One item per split: `strong-<width>`, each teacher's name, and `pixels`, on which
control teachers stand -> (1797, h).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.digits.common.controls import PIXELS
from pipeline.experiments.digits.common.splits import stream, unit
from pipeline.experiments.digits.settings import Represent, Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Representations of every split."""
    pixels = upstream["data"]["digits"]["pixels"]
    data = settings.data
    return {unit(i): represent(data.seed, i, pixels, settings.represent) for i in range(data.splits)}


def represent(seed: int, split: int, pixels: np.ndarray, settings: Represent) -> Arrays:
    """Representations of one split."""
    views = {PIXELS: pixels}
    for width in settings.widths:
        views[f"strong-{width}"] = random_features(stream(seed, split, f"strong-{width}"), pixels, width)
    for name, teacher in settings.teachers.items():
        generator = stream(seed, split, f"teacher-{name}")
        # Border pixels are empty in every image: only the others can be drawn.
        seen = np.flatnonzero(pixels.max(axis=0) > 0)
        chosen = generator.choice(seen, min(teacher.pixels, len(seen)), replace=False)
        view = pixels[:, np.sort(chosen)]
        views[name] = random_features(generator, view, teacher.units) if teacher.units else view
    return views


def random_features(generator: np.random.Generator, inputs: np.ndarray, width: int) -> np.ndarray:
    """ReLU of random projections of the centred inputs, scaled to mean square 1; (n, d) -> (n, width) float32."""
    weights = generator.normal(0, 1, (inputs.shape[1], width))
    features = np.maximum((inputs - inputs.mean(axis=0)) @ weights + generator.normal(0, 1, width), 0)
    return (features / np.sqrt(np.mean(np.square(features)))).astype(np.float32)
