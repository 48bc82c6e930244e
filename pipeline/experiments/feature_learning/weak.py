"""Linear teachers by gradient descent from zero on gold labels; one for all points that differ in n alone.

Item per teacher: `weights` (seeds, 5), along the four signals and the length of the rest, which is its direction in
noise; of digits (seeds, 64).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.feature_learning.common import digits, points
from pipeline.experiments.feature_learning.common.points import BOTH, DIGITS, KINDS, SIGNALS, Point
from pipeline.experiments.feature_learning.settings import Settings
from pipeline.models.patches import descend_linear, gaussian_rows

Array = np.ndarray


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers of all points and seeds."""
    distinct = {point.teacher: point for point in points.points(settings.data)}
    seeds, images = settings.data.seeds, upstream["represent"]["images"]["patches"]
    fitted = pool.map(
        fit,
        {f"{name}-{seed}": (point, seed, settings, images) for name, point in distinct.items() for seed in seeds},
    )
    return {name: {"weights": np.stack([fitted[f"{name}-{seed}"]["weights"] for seed in seeds])} for name in distinct}


def fit(point: Point, seed: int, settings: Settings, images: Array) -> Arrays:
    """Weights of one teacher."""
    generator = streams.generator(seed, f"feature_learning/teacher/{point.teacher}")
    kinds = generator.choice(len(KINDS), settings.data.teacher, p=point.chances)
    if point.panel == DIGITS:
        examples = digits.drawn(generator, kinds, settings.data.digits, seed, "teacher")
        nets = [(point, seed)]
        patches = digits.patches(nets, {name: values[None] for name, values in examples.items()}, images, "teacher")
        inputs = patches[0].values.sum(axis=1)
    else:
        examples = points.drawn(generator, kinds)
        shown = points.signals({name: values[None] for name, values in examples.items()}, points.norms([(point, seed)]))
        # The sum of two noise patches has twice the variance of one.
        noise = gaussian_rows(generator, len(kinds), point.dimension - SIGNALS)
        noise *= np.where(kinds == BOTH, 1, np.sqrt(2)).astype(np.float32)[:, None]
        inputs = np.concatenate([shown.sum(axis=1), noise[None]], axis=-1)
    labels, rates = examples["label"][None], np.array([settings.weak.rate * point.linear_rate(len(kinds))])
    ((_, weights),) = descend_linear(inputs, labels, rates, [settings.weak.steps])
    if point.panel == DIGITS:
        return {"weights": weights[0]}
    return {"weights": np.append(weights[0, :SIGNALS], np.linalg.norm(weights[0, SIGNALS:]))}
