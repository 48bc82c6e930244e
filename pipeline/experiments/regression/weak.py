"""Fit the teachers on true labels of their rows, and make the control teachers.

Items: `<seed>` -> `<teacher>` or `<control>`: predictions for all rows, (n,).

Controls, on the teacher's rows: `random`, a head with random weights on the first teacher's rung, brought to mean and
deviation of the labels; `shuffled`, fitted on shuffled labels; `constant`, the mean of the labels; `itself`, fitted on
the strongest rung.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.regression.settings import Settings, Weak
from pipeline.models import ridge

Array = np.ndarray


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers of every seed."""
    data, seeds = settings.data, settings.data.seeds
    bundles = (upstream["data"], upstream["represent"])
    return pool.map(teach, {str(seed): (seed, data.name, settings.weak, *bundles) for seed in seeds})


def teach(seed: int, name: str, weak: Weak, data: Mapping[str, Any], represent: Mapping[str, Arrays]) -> Arrays:
    """All teachers of one seed."""
    truth, rows = data["rows"]["label"].to_numpy(dtype=np.float64), data[str(seed)]["truth"]
    found = {
        key: predictions(represent[teacher.rung]["features"], truth, rows[: teacher.labels])
        for key, teacher in weak.teachers.items()
    }
    first = next(iter(weak.teachers.values()))
    views, rows = represent[first.rung]["features"].astype(np.float64), rows[: first.labels]
    stream = streams.generator(seed, f"regression/{name}/controls")
    random = views @ stream.standard_normal(views.shape[1])
    spread = random[rows].std() or 1.0
    controls = {
        "random": truth[rows].mean() + truth[rows].std() * (random - random[rows].mean()) / spread,
        "shuffled": predictions(views, _with(truth, rows, stream.permutation(truth[rows])), rows),
        "constant": np.full(len(truth), truth[rows].mean()),
    }
    return found | {kind: values for kind, values in controls.items() if kind in weak.controls}


def predictions(features: Array, labels: Array, rows: Array) -> Array:
    """What a ridge head, fitted on some rows, predicts for all, (n,)."""
    return ridge.predict(features, ridge.fit(features[rows], labels[None, rows]).heads)[0]


def _with(labels: Array, rows: Array, values: Array) -> Array:
    changed = labels.copy()
    changed[rows] = values
    return changed
