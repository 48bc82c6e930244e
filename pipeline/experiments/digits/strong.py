"""Train students on weak labels and ceilings on true labels of the same images; project on mixtures of experts.

One item per split.  By AdamW: `<width>/<loss>/<lr>` -> heads after each epoch (epochs, label sets, h + 1, 10), the
label sets in the order of `label_sets`, the truth last; with `.../objective` on the training labels and
`.../validation` on those of the validation images (epochs, label sets).  Convex class: `<width>/experts`
(experts, h + 1, 10) and `<width>/mixtures` (teachers, experts), the ceiling's weights last, with `.../gap`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.digits.common.splits import one_hot, stream, unit
from pipeline.experiments.digits.common.students import predict, runs
from pipeline.experiments.digits.settings import CLASSES, Experts, Settings, Strong
from pipeline.models.softmax import heads as softmax
from pipeline.models.softmax import mixture
from pipeline.theory.divergence import floored, mean


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students and ceilings of every split."""
    bundles = (upstream["data"], upstream["represent"], upstream["labels"])
    return pool.map(fit, {unit(i): (i, settings, *bundles) for i in range(settings.data.splits)})


def fit(
    split: int,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
) -> Arrays:
    """Students and ceilings of one split."""
    parts, truth = data[unit(split)], data["digits"]["labels"]
    views, weak, floor = represent[unit(split)], labels[unit(split)], settings.data.floor
    images, training = np.concatenate([parts["student"], parts["validation"]]), slice(len(parts["student"]))
    fitted: Arrays = {}
    target = floored(one_hot(truth[images], CLASSES), floor)
    for width, loss, rate, names in runs(settings):
        targets = np.stack([*(weak[name] for name in names), target])
        generator = stream(settings.data.seed, split, f"student-{width}")
        features, place = views[f"strong-{width}"][images], f"{width}/{loss}/{rate:g}"
        heads = train(split, generator, features[training], targets[:, training], loss, rate, settings.strong)
        fitted[place] = heads
        for part, rows in (("objective", training), ("validation", slice(training.stop, None))):
            fitted[f"{place}/{part}"] = np.stack(
                [losses(features[rows], one, targets[:, rows], loss, floor) for one in heads]
            )
    for width in settings.represent.widths:
        generator = stream(settings.data.seed, split, f"experts-{width}")
        view = views[f"strong-{width}"]
        experts = train_experts(generator, view[parts["teacher"]], truth[parts["teacher"]], settings.strong.experts)
        predicted = np.stack([predict(view[parts["student"]], head, floor) for head in experts], axis=1)
        clean = [weak[f"{name}/0/1"][training] for name in settings.represent.teachers]
        solved = mixture.project(
            np.broadcast_to(predicted, (len(clean) + 1, *predicted.shape)),
            np.stack([*clean, target[training]]),
            loss="reverse_kl",
            tolerance=settings.strong.tolerance,
            max_steps=settings.strong.maximum_steps,
        )
        fitted |= {
            f"{width}/experts": experts,
            f"{width}/mixtures": solved.weights,
            f"{width}/mixtures/gap": solved.gap,
        }
    return fitted


def train(
    split: int,
    generator: np.random.Generator,
    features: np.ndarray,
    targets: np.ndarray,
    loss: str,
    rate: float,
    strong: Strong,
) -> np.ndarray:
    """Heads of all label sets at once, from one start and in one order."""
    initial = np.repeat(softmax.initialise(generator, 1, features.shape[1], CLASSES), len(targets), axis=0)
    orders = streams.orders(generator, strong.epochs[-1], len(features))
    options = {"learning_rate": rate, "weight_decay": strong.weight_decay, "batch_size": strong.batch_size}
    try:
        return softmax.fit_adamw(features, targets, initial, orders, strong.epochs, loss=loss, **options)
    except FloatingPointError as error:
        remedy = f"lower {rate:g} in strong.learning_rates of {{where}}"
        raise InputError(f"{{experiment}} split {split}: {error}; {remedy}") from None


def losses(features: np.ndarray, heads: np.ndarray, targets: np.ndarray, loss: str, floor: float) -> np.ndarray:
    """Mean loss of every label set's head."""
    return mean(loss, targets, np.stack([predict(features, head, floor) for head in heads]))


def train_experts(
    generator: np.random.Generator, features: np.ndarray, labels: np.ndarray, settings: Experts
) -> np.ndarray:
    """Each expert sees its own few true labels; together they span the convex class."""
    chosen = np.stack([generator.permutation(len(labels))[: settings.labels] for _ in range(settings.count)])
    orders = streams.orders(generator, settings.epochs, settings.labels)
    return softmax.fit_adamw(
        features[chosen],
        one_hot(labels[chosen], CLASSES),
        softmax.initialise(generator, settings.count, features.shape[1], CLASSES),
        orders,
        [settings.epochs],
        loss="cross_entropy",
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        batch_size=settings.batch_size,
    )[0]
