"""Train the teachers on true labels of their own domains, and two that are none or coarser.

An item a world: `<teacher>.student` and `.test`, probabilities (n, C) float32.  Teachers are `0`, `1`, ...; `shuffled`,
as the first but on its labels in random order; and of hierarchical co-supervision `all`, `low` and `high`, which see
the slices and the views of all teachers, or of the first and the second half of them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.shift.settings import Shared, Training, World
from pipeline.models.softmax import pooled

Array = np.ndarray


def run(settings: Shared, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers of every world."""
    bundles, training = (upstream["data"], upstream["represent"]), settings.weak.training
    return pool.map(teach, {world.name: (world, *bundles, training[world.panel]) for world in settings.worlds()})


def groups(count: int) -> dict[str, range]:
    """Teachers of each level of the hierarchy above the teachers themselves: all, then halves."""
    half = count // 2
    return {"all": range(count), "low": range(half), "high": range(half, count)}


def teach(world: World, data: Mapping[str, Arrays], represent: Mapping[str, Arrays], training: Training) -> Arrays:
    """All teachers of one world."""
    drawn, views, found = data[world.name], represent[world.name], {}
    slices, columns, classes = views["slice"], views["columns"], int(drawn["y.test"].max()) + 1
    for name, own in {**{str(k): [k] for k in range(len(slices))}, **groups(len(slices)), "shuffled": [0]}.items():
        rows, kept = slices[list(own)].any(0), columns[list(own)].any(0)
        stream = streams.generator(world.seed, f"shift/teacher/{world.panel}/{name}")
        told = drawn["y.source"][rows]
        if name == "shuffled":
            told = stream.permutation(told)
        order = streams.orders(stream, training.epochs, len(told))
        head = learned(views["weak.source"][rows][:, kept], told, classes, order, training)
        for part in ("student", "test"):
            found[f"{name}.{part}"] = pooled.predict(views[f"weak.{part}"][:, kept], head).astype(np.float32)
    return found


def learned(x: Array, y: Array, classes: int, order: Array, training: Training) -> Array:
    """One head (d, C) on true labels."""
    found = pooled.fit(
        x,
        np.eye(classes, dtype=np.float32)[y][None],
        [pooled.Rule((0,))],
        order,
        [training.epochs],
        batch_size=training.batch_size,
        learning_rate=training.learning_rate,
    )
    if not np.isfinite(found.heads).all():
        raise InputError("the weights of a teacher are no longer finite; lower weak.training in {where}")
    return found.heads[0, 0]
