"""Let the teachers label the student's inputs: those they were trained on, or fresh ones.

One item per seed: `<weak representation>.<inputs>` -> labels (tasks, n).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.synthetic.common import fitting
from pipeline.experiments.synthetic.common.panels import SAMPLES, unit, unpack
from pipeline.experiments.synthetic.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Weak labels of every seed."""
    arguments = (upstream["data"], upstream["represent"], upstream["weak"], settings.labels.inputs)
    return pool.map(label, {unit(seed): (seed, *arguments) for seed in settings.data.seeds})


def label(
    seed: int,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
    inputs: tuple[str, ...],
) -> Arrays:
    """Weak labels of one seed."""
    samples, networks, teachers = data[unit(seed)], represent[unit(seed)], weak[unit(seed)]
    return {
        f"{name}.{sample}": fitting.predict(
            fitting.features(unpack(name, networks), samples[SAMPLES[sample]]), heads
        ).astype(np.float32)
        for name, heads in teachers.items()
        for sample in inputs
    }
