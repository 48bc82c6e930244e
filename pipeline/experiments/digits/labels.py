"""Let the teachers label the student's and the validation images: clean, noisy, over-confident, temperature-scaled.

One item per split: `<teacher>/<noise>/<sharpening>` -> probabilities (student + validation images, 10), floored;
temperature scaling is the sharpening `tempered`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.digits.common import controls
from pipeline.experiments.digits.common.splits import stream, unit
from pipeline.experiments.digits.common.students import TEMPERED, predict
from pipeline.experiments.digits.settings import Labels, Settings
from pipeline.experiments.kl.common import corruption


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Weak labels of every split."""
    bundles, data = (upstream["data"], upstream["represent"], upstream["weak"]), settings.data
    names = tuple(settings.represent.teachers)
    return {unit(i): label(i, data.seed, *bundles, names, settings.labels, data.floor) for i in range(data.splits)}


def label(
    split: int,
    seed: int,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
    names: tuple[str, ...],
    settings: Labels,
    floor: float,
) -> Arrays:
    """Weak labels of one split."""
    parts, views, teachers = data[unit(split)], represent[unit(split)], weak[unit(split)]
    images = np.concatenate([parts["student"], parts["validation"]])
    labels = {}
    for name in names:
        clean = predict(views[name][images], teachers[name], floor)
        tempered = corruption.sharpened(clean, 1 / float(teachers[f"{name}.temperature"][0]), floor)
        labels[f"{name}/0/{TEMPERED}"] = tempered
        for power in settings.sharpening:
            labels[f"{name}/0/{power:g}"] = corruption.sharpened(clean, power, floor)
        for rate in settings.noise:
            labels[f"{name}/{rate:g}/1"] = corruption.noisy(clean, rate, stream(seed, split, f"noise-{name}"))
    for name in controls.TEACHERS:
        labels[f"{name}/0/1"] = predict(controls.view(name, views)[images], teachers[name], floor)
    return labels
