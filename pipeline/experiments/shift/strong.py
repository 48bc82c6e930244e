"""Train the students of every world, all that share a feature matrix as one tensor.

An item a world: `heads` (S, d, C) in the order of plans.students, then that of co-supervision; `weights` (S, T), those
at the end; `followed` (E, F, d, C) and `path` (E, F, T), heads and weights of plans.FOLLOWED after the epochs followed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.shift import plans
from pipeline.experiments.shift.settings import Shared, Strong, Training, World
from pipeline.models.softmax import pooled
from pipeline.models.softmax.pooled import Rule

Array = np.ndarray
TOP = 3  # of hierarchical co-supervision: classes of the student among which a kept label is


def run(settings: Shared, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students of every world, each world a unit."""
    bundles = tuple(upstream[verb] for verb in ("data", "represent", "labels"))
    units = {world.name: (world, len(settings.teachers(world)), settings.strong) for world in settings.worlds()}
    return pool.map(learn, {name: (*unit, *bundles) for name, unit in units.items()})


def learn(
    world: World,
    count: int,
    strong: Strong,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
) -> Arrays:
    """All students of one world."""
    training, epochs = strong.training[world.panel], strong.epochs_followed(world.panel)
    views, told = represent[world.name], labels[world.name]
    gold = np.eye(told["soft"].shape[-1], dtype=np.float32)[data[world.name]["y.student"]]
    stream = streams.generator(world.seed, f"shift/student/{world.panel}/{world.domain}")
    order = streams.orders(stream, training.epochs, len(gold))
    naive = told["soft"][plans.drawn(world, count)]
    first = fitted(views["middle.student"], naive[None], [Rule((0,))], order, training)
    bootstrapped = pooled.predict(views["middle.student"], first.heads[-1, 0])
    sources = np.concatenate([told["soft"], gold[None], bootstrapped[None]]).astype(np.float32)
    planned = plans.students(world, strong, count)
    rules = [one.rule for one in planned]
    found = fitted(views["strong.student"], sources, rules, order, training, sorted({*epochs, training.epochs}))
    supervised = cosupervised(views["strong.student"], told, count, order, training)
    shown = [place for place, one in enumerate(planned) if plans.is_followed(one)]
    return {
        "heads": np.concatenate([found.heads[-1], supervised]),
        "weights": found.weights[-1],
        "followed": found.heads[: len(epochs), shown],
        "path": found.weights[epochs][:, shown],
    }


def fitted(
    x: Array,
    sources: Array,
    rules: list[Rule],
    order: Array,
    training: Training,
    epochs: Sequence[int] = (),
    kept: Array | None = None,
) -> pooled.Fitted:
    """Students on one view, after some epochs or after the last.  Raises InputError where one diverges."""
    options = {"batch_size": training.batch_size, "learning_rate": training.learning_rate, "kept": kept}
    found = pooled.fit(x, sources, rules, order, epochs or (training.epochs,), **options)
    if not np.isfinite(found.heads).all():
        raise InputError("the weights of a student are no longer finite; lower strong.training in {where}")
    return found


def cosupervised(x: Array, told: Arrays, count: int, order: Array, training: Training) -> Array:
    """The student after the last level of hierarchical co-supervision, (1, d, C): one teacher, two, then all."""
    teachers = told["soft"][:count]
    levels = [np.stack([told["low"], told["high"]]), teachers]
    heads = fitted(x, told["all"][None], [Rule((0,))], order, training).heads[-1]
    for level in levels:
        student = pooled.predict(x, heads[0])
        label, kept = plans.assigned(student, level, min(TOP, level.shape[-1] - 1))
        heads = fitted(x, label[None], [Rule((0,))], order, training, kept=kept[None]).heads[-1]
    return heads
