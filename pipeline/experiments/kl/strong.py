"""Fit students on weak labels, and ceilings on true labels of the same inputs, over the strong representation.

One item per seed.  Solved students: `<panel>.<class>.<loss>.<inputs>.{student,ceiling}` and their `...certificate`.
Curves, in the pretrained panel, softmax heads by AdamW: `curve.<loss>.<lr>.<noise>.<sharpening>` -> heads after each
of the epochs (epochs, tasks, width + 1, k), with `....objective` on the training labels and `....validation` on weak
labels of other inputs, corrupted alike (epochs, tasks).  `controls-<seed>`: `<panel>.<family>.{<control>,ceiling}`.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.kl.common import controls, corruption, students
from pipeline.experiments.kl.common.curves import CURVE_PANEL, curve_name, grid
from pipeline.experiments.kl.common.students import STUDENTS
from pipeline.experiments.kl.settings import Curves, Exact, Settings
from pipeline.experiments.synthetic.common.panels import PANELS, SAMPLES, control_unit, unit, unpack, with_controls
from pipeline.models.softmax import heads as softmax
from pipeline.theory.divergence import mean


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students, ceilings and curves of every seed."""
    bundles = (upstream["data"], upstream["represent"], upstream["labels"])
    floor, strong = settings.data.floor, settings.strong
    keys = list(product(settings.data.every_seed(), PANELS, settings.labels.inputs))
    control = {
        control_unit(seed): (seed, *bundles, floor, strong.exact)
        for seed in with_controls(settings.data.seeds, upstream["labels"])
    }
    solved = {_name(*key): (*key, *bundles, floor, strong.exact) for key in keys}
    source = settings.labels.inputs[0]
    trained = {f"{unit(seed)}-curves": (seed, source, *bundles, floor, strong.curves) for seed in settings.data.seeds}
    items = {**pool.map(fit, solved), **pool.map(train, trained)}
    real = {
        unit(seed): {
            name: array for item in items if item.startswith(f"{unit(seed)}-") for name, array in items[item].items()
        }
        for seed in settings.data.every_seed()
    }
    return {**real, **pool.map(fit_controls, control)}


def fit_controls(
    seed: int,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
    floor: float,
    exact: Exact,
) -> Arrays:
    """Students of one seed's control teachers, and the strong model on the true labels of the teacher's sample."""
    samples, told = data[unit(seed)], labels[control_unit(seed)]
    networks, experts, fitted = {**represent[unit(seed)], **samples}, samples["pretraining_heads"], {}
    for name, (family, kind) in product(PANELS, controls.STUDENTS.items()):
        targets = {key: (target, "fresh") for key, target in told.items() if key.startswith(f"{name}.{family}.")}
        tasks = len(next(iter(targets.values()))[0])
        for key, source in (("ceiling", "fresh"), (controls.NO_TEACHER, "reused")):
            truth = samples[f"{family}_{SAMPLES[source].replace('inputs', 'truth')}"][:tasks]
            targets[f"{name}.{family}.{key}"] = (truth, source)
        network = unpack(PANELS[name].strong, networks)
        seen = {source: students.features(network, samples[SAMPLES[source]][:tasks]) for source in ("fresh", "reused")}
        for key, (target, source) in targets.items():
            fitted[key] = students.fit(STUDENTS[kind], seen[source], target, experts, floor, exact)["fitted"]
    return fitted


def fit(
    seed: int,
    name: str,
    inputs: str,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
    floor: float,
    exact: Exact,
) -> Arrays:
    """Solved students and ceilings of one seed, panel and choice of inputs."""
    samples, panel = data[unit(seed)], PANELS[name]
    networks = {**represent[unit(seed)], **samples}
    represented = students.features(unpack(panel.strong, networks), samples[SAMPLES[inputs]])
    fitted = {}
    for kind, student in STUDENTS.items():
        truth = samples[f"{student.family}_{SAMPLES[inputs].replace('inputs', 'truth')}"]
        targets = {"student": labels[unit(seed)][f"{student.family}.{panel.weak}.{inputs}"], "ceiling": truth}
        for role, target in targets.items():
            found = students.fit(student, represented, target, samples["pretraining_heads"], floor, exact)
            place = f"{name}.{kind}.{inputs}.{role}"
            fitted |= {place: found["fitted"], f"{place}.certificate": found["certificate"]}
    return fitted


def train(
    seed: int,
    inputs: str,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
    floor: float,
    curves: Curves,
) -> Arrays:
    """Curves of one seed: the first tasks of the family softmax on their first samples."""
    panel = PANELS[CURVE_PANEL]
    network, sample = unpack(panel.strong, represent[unit(seed)]), data[unit(seed)][SAMPLES[inputs]][: curves.tasks]
    clean = labels[unit(seed)][f"softmax.{panel.weak}.{inputs}"][: curves.tasks]
    represented = students.features(network, sample)
    training, validation = slice(curves.samples), slice(curves.samples, None)
    count, _, width = represented.shape
    initial = softmax.initialise(streams.generator(seed, "kl/curve-initial"), count, width, clean.shape[-1])
    orders = streams.orders(streams.generator(seed, "kl/curve-orders"), curves.epochs[-1], curves.samples)
    fitted = {}
    for loss, rate, noise, power in grid(curves):
        target = corruption.sharpened(clean, power, floor)
        target = corruption.noisy(target, noise, streams.generator(seed, "kl/curve-noise"))
        options = {"learning_rate": rate, "weight_decay": curves.weight_decay, "batch_size": curves.batch_size}
        seen = (represented[:, training], target[:, training], initial, orders, curves.epochs)
        try:
            heads = softmax.fit_adamw(*seen, loss=loss, **options)
        except FloatingPointError as error:
            remedy = "lower strong.curves.learning_rates in {where}"
            raise InputError(f"{{experiment}} seed {seed}, learning rate {rate:g}: {error}; {remedy}") from None
        name = curve_name(loss, rate, noise, power)
        fitted[name] = heads
        for part, rows in (("objective", training), ("validation", validation)):
            predicted = students.predict("softmax", represented[:, rows], heads, np.empty(0), floor)
            fitted[f"{name}.{part}"] = np.stack([mean(loss, target[:, rows], one) for one in predicted])
    return fitted


def _name(seed: int, panel: str, inputs: str) -> str:
    return f"{unit(seed)}-{panel}-{inputs}"
