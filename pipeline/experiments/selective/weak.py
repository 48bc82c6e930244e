"""Train the teachers of the text sets on true labels of their rows; the teacher of clusters is drawn.

Items: `<unit>` -> `<teacher>/<part>`: probabilities of class 1 for the parts weak, validation and test.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.finetuning.settings import TFIDF, Teacher
from pipeline.experiments.finetuning.weak import TAUGHT, counts
from pipeline.experiments.selective.common.units import CLUSTERS, Unit, units
from pipeline.experiments.selective.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers of every unit."""
    bundles = (upstream["data"], upstream["represent"])
    return pool.map(teach, {name: (unit, settings, *bundles) for name, unit in units(settings.data).items()})


def teach(unit: Unit, settings: Settings, data: Mapping[str, Any], represent: Mapping[str, Arrays]) -> Arrays:
    """All teachers of one unit."""
    rows, parts = data[unit.rows], data[unit.name]
    if unit.drawn:
        noise = settings.data.cases[unit.dataset].noise  # its honest doubt
        return {f"{CLUSTERS}/{part}": noise + (1 - 2 * noise) * rows["said"][parts[part]] for part in TAUGHT}
    found: Arrays = {}
    for name, teacher in settings.weak.teachers.items():
        own = parts["truth"][: teacher.labels]
        features, labels = seen(unit, rows, own, teacher, represent), rows["label"].to_numpy()[own] > 0.5
        if labels.all() or not labels.any():
            raise InputError(
                f"{unit.dataset}, split {unit.draw}: all labels of {name} are equal; raise weak.teachers.{name}.labels"
            )
        fitted = LogisticRegression(C=teacher.c, max_iter=10_000).fit(features[own], labels)
        found |= {f"{name}/{part}": fitted.predict_proba(features[parts[part]])[:, 1] for part in TAUGHT}
    return found


def seen(unit: Unit, table: pd.DataFrame, own: np.ndarray, teacher: Teacher, represent: Mapping[str, Arrays]) -> Any:
    """What a teacher sees of all rows: word counts, or a view scaled to unit variance on its own rows."""
    if teacher.features == TFIDF:
        return counts(table["text"], own)
    features = represent[f"{unit.dataset}.{teacher.features}"]["features"].astype(np.float64)
    return StandardScaler().fit(features[own]).transform(features)
