"""Train the teachers on true labels of their part, and let them speak on all other parts.

An item a seed: `<teacher>/<part>` -> probabilities (n, classes) of the parts student, calibration and test; control
teachers likewise.  A network that was trained once is not trained again, whatever else changes.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core import artifacts, kept, streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.vision.common import controls, heads
from pipeline.experiments.vision.settings import PARTS, Settings, Weak
from pipeline.models.softmax.heads import predict
from pipeline.models.vision import convolutional

HOME = artifacts.ARTIFACTS / "features"
SHOWN = PARTS[1:]


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers of every seed; each network is a unit."""
    data, represent, seeds = upstream["data"], upstream["represent"], settings.data.seeds
    units = {
        f"{seed}--{name}": (seed, name, settings.weak, len(settings.data.classes), data, HOME.resolve())
        for seed in seeds
        for name in [*heads.teachers(settings), "shuffled"]
    }
    networks = pool.map(network, units)
    rest = pool.map(others, {f"{seed}--others": (seed, settings, data, represent) for seed in seeds})
    found: dict[str, Arrays] = {f"seed-{seed}": dict(rest[f"{seed}--others"]) for seed in seeds}
    for unit, arrays in networks.items():
        seed, name = unit.split("--")
        found[f"seed-{seed}"] |= {f"{name}/{part}": values for part, values in arrays.items()}
    return found


def network(seed: int, name: str, settings: Weak, classes: int, data: Mapping[str, Any], home: Path) -> Arrays:
    """One teacher, or the one that learns from labels in random order, which sees the median number of them."""
    images, parts = data["images"], data[f"seed-{seed}"]
    stream = streams.generator(seed, f"vision/teacher/{name}")
    count = sorted(settings.labels)[len(settings.labels) // 2] if name == "shuffled" else int(name.split("-")[1])
    rows = parts["teacher"][:count]
    labels = images["labels"][rows]
    told = np.eye(classes)[stream.permutation(labels) if name == "shuffled" else labels]
    pixels = images["pixels"]
    shown = {part: pixels[parts[part]] for part in SHOWN}
    digest = hashlib.sha256(b"".join(array.tobytes() for array in (pixels[rows], told, *shown.values()))).hexdigest()
    recipe = [convolutional.__file__, settings.fit.model_dump_json(), str(settings.channels), f"{seed}", name, digest]
    try:
        return kept.once(
            home,
            recipe,
            lambda: convolutional.taught(pixels[rows], told, shown, settings.channels, settings.fit, stream),
        )
    except FloatingPointError as error:
        raise InputError(f"seed {seed}, {name}: {error}; lower weak.fit.learning_rate in {{where}}") from None


def others(seed: int, settings: Settings, data: Mapping[str, Any], represent: Mapping[str, Arrays]) -> Arrays:
    """Control teachers without a network of their own."""
    images, parts, classes = data["images"], data[f"seed-{seed}"], len(settings.data.classes)
    truth = np.eye(classes)[images["labels"][parts["teacher"]]]
    features = represent[settings.represent.focus]["features"]
    options = settings.weak.head.model_dump()
    stream, epochs = streams.generator(seed, "vision/itself"), [options.pop("epochs")]
    place = f"seed {seed}, itself, weak.head"
    fitted = heads.fit(place, features[parts["teacher"]], truth[None], stream, epochs, loss="cross_entropy", **options)
    drawn = np.concatenate([parts[part] for part in SHOWN])
    guessed = controls.random(streams.generator(seed, "vision/random"), images["pixels"][drawn], classes)
    found: Arrays = {}
    for part, some in zip(SHOWN, np.split(guessed, np.cumsum([len(parts[part]) for part in SHOWN])[:-1]), strict=True):
        found[f"random/{part}"] = some
        found[f"constant/{part}"] = controls.constant(truth, len(parts[part]))
        found[f"itself/{part}"] = predict(features[parts[part]], fitted[0, 0])
    return found
