"""What the pool says of the student's samples, without their true labels.

An item a world: `soft` (T, n, C) float32, the teachers first, then `matched`, the same at one mean entropy, then the
shuffled teacher and the constant one; `all`, `low`, `high` (n, C) of the hierarchy.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.shift.settings import Shared, World
from pipeline.experiments.shift.weak import groups
from pipeline.models.softmax import pooled


def run(settings: Shared, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Labels of every world."""
    return {world.name: label(world, settings, upstream["data"], upstream["weak"]) for world in settings.worlds()}


def label(world: World, settings: Shared, data: Mapping[str, Arrays], weak: Mapping[str, Arrays]) -> Arrays:
    """Labels of one world; hard ones are the classes that the teachers say."""
    said = weak[world.name]
    teachers = np.stack([said[f"{k}.student"] for k in range(len(settings.teachers(world)))])
    classes, shuffled = teachers.shape[-1], said["shuffled.student"]
    # What a teacher says that has seen the share of each class and nothing else.
    frequencies = np.bincount(data[world.name]["y.source"], minlength=classes) / len(data[world.name]["y.source"])
    constant = np.broadcast_to(frequencies.astype(np.float32), shuffled.shape)
    if settings.labels.kind == "hard":
        teachers, shuffled = (np.eye(classes, dtype=np.float32)[own.argmax(-1)] for own in (teachers, shuffled))
    pool = np.concatenate([teachers, pooled.matched(teachers), shuffled[None], constant[None]])
    return {"soft": pool.astype(np.float32), **{name: said[f"{name}.student"] for name in groups(len(teachers))}}
