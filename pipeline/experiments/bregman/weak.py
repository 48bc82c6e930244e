"""Train the teachers by cross-entropy on the truth; those of a hull are drawn with it.

An item a world with inputs: a single softmax head, as `combined.fit` gives it.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.bregman.settings import Settings, Training, World
from pipeline.models.softmax import combined


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers of every world that has inputs."""
    worlds = [world for world in settings.data.worlds() if world.kind != "hull"]
    bundles = (upstream["data"], upstream["represent"], settings.weak)
    return pool.map(teach, {world.name: (world, *bundles) for world in worlds})


def teach(world: World, data: Mapping[str, Arrays], represent: Mapping[str, Arrays], training: Training) -> Arrays:
    """One teacher."""
    stream = streams.generator(world.seed, f"bregman/teacher/{world.kind}/{world.classes}")
    shown, told = represent[world.name]["weak.teacher"], data[world.name]["truth.teacher"]
    return combined.fit(shown, told, stream, heads=1, loss="forward_kl", **training.model_dump())
