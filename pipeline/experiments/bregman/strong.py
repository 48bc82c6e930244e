"""Fit the students: k mixed heads on weak labels, and projections on hulls for every generator.

An item a student: `<world>.<loss>.<k>` with heads and weights, `<world>.ceiling` likewise on true labels; of a hull
`<world>` with the mixture's weights by generator, the same under the true labels as `<generator>.truth`, and gaps.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.bregman.settings import Settings, Training, World
from pipeline.models.softmax import combined
from pipeline.theory.bregman import GENERATORS, Generator, drawn


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students of every world, each a unit of its own."""
    training = {name: getattr(settings.strong, name) for name in Training.model_fields}
    data, represent, labels = (upstream[name] for name in ("data", "represent", "labels"))
    projected, trained = {}, {}
    for world in settings.data.worlds():
        if world.kind == "hull":
            projected[world.name] = (world, data)
            continue
        for loss, heads in settings.students(world):
            trained[f"{world.name}.{loss}.{heads}"] = (world, loss, heads, represent, labels, "student", training)
        trained[f"{world.name}.ceiling"] = (world, "forward_kl", 1, represent, data, "truth.student", training)
    return pool.map(project, projected) | pool.map(learn, trained)


def learn(
    world: World,
    loss: str,
    heads: int,
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
    told: str,
    training: Mapping[str, Any],
) -> Arrays:
    """One student of k heads."""
    stream = streams.generator(world.seed, f"bregman/student/{world.kind}/{world.classes}/{heads}")
    views, targets = represent[world.name], labels[world.name][told]
    return combined.fit(views["strong.student"], targets, stream, heads=heads, loss=loss, **training)


def project(world: World, data: Mapping[str, Arrays]) -> Arrays:
    """Projections of teacher and of truth for every generator."""
    arrays, found = data[world.name], {}
    for name, generator in generators(world).items():
        for whose, told in (("", arrays["teacher"]), (".truth", arrays["truth"])):
            weights = combined.project(generator, arrays["experts"], told)
            gap = combined.slack(generator, arrays["experts"], told, weights)
            found |= {f"{name}{whose}": weights, f"{name}{whose}.gap": np.array([gap])}
    return found


def generators(world: World) -> dict[str, Generator]:
    """Those of the family, and one drawn for the world."""
    stream = streams.generator(world.seed, f"bregman/generator/{world.classes}")
    return {**GENERATORS, "drawn": drawn(stream, world.classes)}
