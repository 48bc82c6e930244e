"""What a teacher says of the examples of a part."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.experiments.feature_learning.common import digits, points
from pipeline.experiments.feature_learning.common.points import DIGITS, Point

Array = np.ndarray


def told(
    point: Point,
    seeds: Sequence[int],
    part: str,
    data: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
    images: Array,
) -> Array:
    """Sign of the teachers of one point, +1 or -1, (seeds, n)."""
    nets = [(point, seed) for seed in seeds]
    examples, weights = points.part_of(data, nets, seeds, part), weak[point.teacher]["weights"]
    if point.panel == DIGITS:
        inputs = digits.patches(nets, examples, images, part)[0].values.sum(axis=1)
    else:
        shown = points.signals(examples, points.norms(nets)).sum(axis=1)
        inputs = np.concatenate([shown, examples["along"].sum(axis=1)[..., None]], axis=-1)
    return np.where((inputs @ weights[..., None])[..., 0] > 0, 1, -1).astype(np.int8)
