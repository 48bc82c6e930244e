"""What teachers and students see.

An item a world: `<view>.<part>` (n, d) float32 for the views weak (source, student, test), middle and strong (student,
test); `columns` (K, d of weak) bool: what each teacher sees of the weak view; `slice` (K, m) bool: its rows of source.
The last column of each view is 1.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.shift.data import PARTS
from pipeline.experiments.shift.settings import Settings, World

Array = np.ndarray


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Views of all worlds."""
    views = {"synthetic": coordinates, "images": random_features}
    return {
        world.name: views[world.panel](world, settings, upstream["data"][world.name]) for world in settings.worlds()
    }


def coordinates(world: World, settings: Settings, drawn: Arrays) -> Arrays:
    """A teacher sees its own random part of the core, the middle model a larger one, the student all; spurious all."""
    sizes, stream = settings.data.synthetic, streams.generator(world.seed, f"shift/views/{world.domain}")
    kept = [seen(stream, sizes.core, sizes.seen, sizes.spurious) for _ in drawn["slice"]]
    part = max(1, round(settings.represent.middle_core * sizes.core))
    middle = seen(stream, sizes.core, part, sizes.spurious)
    found = {"columns": np.stack(kept), "slice": drawn["slice"]}
    for name in PARTS:
        whole = with_ones(drawn[f"x.{name}"])
        found |= {f"weak.{name}": whole, f"middle.{name}": whole[:, middle], f"strong.{name}": whole}
    return used(found)


def seen(stream: np.random.Generator, core: int, part: int, spurious: int) -> Array:
    """Which coordinates are seen, the column of ones among them."""
    columns = np.ones(core + spurious + 1, bool)
    columns[:core] = False
    columns[stream.choice(core, part, replace=False)] = True
    return columns


def random_features(world: World, settings: Settings, drawn: Arrays) -> Arrays:
    """Random ReLU features of the pixels: a few of its own for each teacher, more for the middle model and the student.

    Scaled to a mean square of 1 on the rows that train them.
    """
    sizes, stream = settings.represent, streams.generator(world.seed, "shift/views/images")
    teachers, width = len(drawn["slice"]), drawn["x.source"].shape[1]
    found: Arrays = {"columns": own_columns(teachers, sizes.weak), "slice": drawn["slice"]}
    counts = {"weak": teachers * sizes.weak, "middle": sizes.middle, "strong": sizes.strong}
    for view, count in counts.items():
        matrix, offset = stream.standard_normal((width, count)), stream.standard_normal(count)
        made = {part: np.maximum((drawn[f"x.{part}"] - 0.5) @ matrix + offset, 0) for part in PARTS}
        scale = np.sqrt(np.mean(np.square(made["source" if view == "weak" else "student"])))
        found |= {f"{view}.{part}": with_ones(features / scale) for part, features in made.items()}
    return used(found)


def own_columns(teachers: int, each: int) -> Array:
    """Which columns each teacher sees where all have as many of their own, and the ones: (K, K * each + 1) bool."""
    found = np.ones((teachers, teachers * each + 1), bool)
    found[:, :-1] = np.repeat(np.eye(teachers, dtype=bool), each, axis=1)
    return found


def with_ones(features: Array) -> Array:
    """Features with a last column of ones, float32."""
    return np.concatenate([features, np.ones((len(features), 1))], axis=1).astype(np.float32)


def used(found: Arrays) -> Arrays:
    """Without what no verb reads: middle and strong models never see the teachers' domains."""
    return {name: array for name, array in found.items() if name not in ("middle.source", "strong.source")}
