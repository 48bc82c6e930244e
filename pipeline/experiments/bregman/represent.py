"""Random ReLU features: of all inputs for the student, of a part of them for the teacher.

An item a world: `<view>.<part>` (n, h) float32.  A hull has none, its experts stand in data.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.bregman.data import PARTS
from pipeline.experiments.bregman.settings import Settings, World


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Views of every world that has inputs."""
    worlds = [world for world in settings.data.worlds() if world.kind != "hull"]
    return {world.name: views(world, settings, upstream["data"][world.name]) for world in worlds}


def views(world: World, settings: Settings, drawn: Arrays) -> Arrays:
    """The teacher sees the first half of Gaussian inputs, or some pixels."""
    stream = streams.generator(world.seed, f"bregman/views/{world.kind}/{world.classes}")
    inputs = drawn["x.student"].shape[1]
    if world.kind == "digits":
        # Border pixels are empty in every image: only the others can be drawn.
        lit = np.flatnonzero(np.concatenate([drawn[f"x.{part}"] for part in PARTS]).max(axis=0) > 0)
        seen = np.sort(stream.choice(lit, min(settings.data.digits.pixels, len(lit)), replace=False))
        directions = stream.normal(size=(inputs, settings.represent.digits))
    else:
        seen, directions = np.arange(inputs // 2), drawn["directions"]
    few = stream.normal(size=(len(seen), settings.represent.weak))
    made = {
        f"{view}.{part}": np.maximum(drawn[f"x.{part}"] @ matrix, 0)
        for part in PARTS
        for view, matrix in (("weak", _rows(few, seen, inputs)), ("strong", directions))
    }
    scales = {view: np.sqrt(np.mean(np.square(made[f"{view}.teacher"]))) for view in ("weak", "strong")}
    return {name: (features / scales[name.split(".")[0]]).astype(np.float32) for name, features in made.items()}


def _rows(few: np.ndarray, seen: np.ndarray, inputs: int) -> np.ndarray:
    """Directions of all inputs, zero for those that are not seen."""
    directions = np.zeros((inputs, few.shape[1]))
    directions[seen] = few
    return directions
