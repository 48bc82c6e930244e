"""Train students on weak labels, and ceilings on the true labels of the same images.

An item a seed and rung, `seed-<seed>.<rung>`: `<loss>/<rows>` -> heads (epochs, K + 1, 1281, classes), the label sets
in the order of `label_sets`, the truth last (not by reverse KL); on the focus also `teachers_labels`, the strong model
on the labels that each teacher saw (teachers, 1281, classes).  Where the network's last block is trained with the
head, `<loss>/<rows>/<part>` -> probabilities (epochs, K + 1, images, classes) in place of heads.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.vision.common import controls, heads
from pipeline.experiments.vision.represent import weights
from pipeline.experiments.vision.settings import PARTS, Settings, Training
from pipeline.models.vision import block, reading
from pipeline.theory.divergence import floored

SHOWN = PARTS[1:]
OPTIONS = {"batch_size", "learning_rate", "weight_decay"}


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students of every seed and rung."""
    bundles = (upstream["data"], upstream["represent"], upstream["labels"])
    units = {
        f"seed-{seed}.{rung}": (seed, rung, settings, *bundles)
        for seed in settings.data.seeds
        for rung in settings.represent.rungs
    }
    return pool.map(students, units)


def students(seed: int, rung: str, settings: Settings, *bundles: Mapping[str, Arrays]) -> Arrays:
    """Students of one seed on one rung."""
    if training := settings.represent.rungs[rung].block:
        return blocks(seed, rung, training, settings, *bundles)
    return linear(seed, rung, settings, *bundles)


def linear(
    seed: int,
    rung: str,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
) -> Arrays:
    """Linear heads on frozen features."""
    strong, features = settings.strong, represent[rung]["features"]
    parts, weak = data[f"seed-{seed}"], labels[f"seed-{seed}"]
    truth, options = truths(settings, data), strong.model_dump(include=OPTIONS)
    found: Arrays = {}

    def fit(rows: np.ndarray, targets: np.ndarray, epochs: tuple[int, ...], loss: str) -> np.ndarray:
        stream = streams.generator(seed, f"vision/students/{rung}/{len(rows)}")
        place = f"seed {seed}, {rung}, {loss} on {len(rows)} labels"
        return heads.fit(place, features[rows], targets, stream, epochs, loss=loss, **options)

    for one in heads.fits(settings, rung):
        rows = parts["student"][: one.rows]
        told = [weak[name][: one.rows] for name in heads.label_sets(settings, rung, one.loss)]
        if one.loss == "cross_entropy":
            told.append(truth[rows])
        epochs = strong.epochs if one.rows == max(strong.weak_labels) else strong.epochs[-1:]
        found[one.name] = fit(rows, np.stack(told), epochs, one.loss)
    if rung == settings.represent.focus:
        shown = [parts["teacher"][:count] for count in settings.weak.labels]
        own = [fit(rows, truth[rows][None], strong.epochs[-1:], "cross_entropy")[0, 0] for rows in shown]
        found[controls.NO_TEACHER] = np.stack(own)
    return found


def blocks(
    seed: int,
    rung: str,
    training: Training,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
) -> Arrays:
    """Networks whose last block is trained with the head."""
    named = settings.represent.rungs[rung].network
    source = settings.represent.networks[named]
    pretrained = reading.network(source.size, weights(f"networks.{named}", source))
    maps, parts, weak = represent[rung]["maps"], data[f"seed-{seed}"], labels[f"seed-{seed}"]
    shown, truth, found = {part: maps[parts[part]] for part in SHOWN}, truths(settings, data), {}
    for one in heads.fits(settings, rung):
        rows = parts["student"][: one.rows]
        told = [weak[name][: one.rows] for name in heads.label_sets(settings, rung, one.loss)]
        orders = streams.orders(streams.generator(seed, f"vision/students/{rung}"), training.epochs[-1], len(rows))
        options = training.model_dump(include=OPTIONS)
        try:
            trained = [
                block.follow(maps[rows], targets, orders, training.epochs, shown, pretrained, **options)
                for targets in (*told, truth[rows])
            ]
        except FloatingPointError as error:
            remedy = f"lower represent.rungs.{rung}.block.learning_rate in {{where}}"
            raise InputError(f"seed {seed}, {rung}: {error}; {remedy}") from None
        found |= {f"{one.name}/{part}": np.stack([each[part] for each in trained], axis=1) for part in shown}
    return found


def truths(settings: Settings, data: Mapping[str, Arrays]) -> np.ndarray:
    """True labels of all images, (n, classes), floored."""
    return floored(np.eye(len(settings.data.classes))[data["images"]["labels"]], settings.data.floor)
