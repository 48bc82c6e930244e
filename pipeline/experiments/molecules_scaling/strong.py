"""Fit students on ever more weak labels: ridge heads on the frozen strong model, penalty by cross-validation.

Items: `<dataset>-<split>` with `student` (students, n) for all molecules of the data set, `norm` of their weights for
raw features, `freedom` and `effective` sample size (students,), and `ceiling` (n,), the strong model on the true labels
of the teacher's molecules, which no student sees; `students-<dataset>-<split>`, the table of the rows;
`distance-<dataset>`, how far the corpus is from the data set.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common.rungs import STRONG
from pipeline.experiments.molecules_scaling.common import students
from pipeline.experiments.molecules_scaling.common.students import CORPUS, OWN, WEIGHTED
from pipeline.experiments.molecules_scaling.settings import Settings, Strong
from pipeline.models import ridge

Array = np.ndarray


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Students and ceilings of every data set and split."""
    names, splits = settings.data.datasets, settings.splits()
    data, represent, labels = (upstream[verb] for verb in ("data", "represent", "labels"))
    far = pool.map(
        distance,
        {f"distance-{name}": (name, settings.weak.seed, represent, labels, settings.strong) for name in names},
    )
    weights = {name: far[f"distance-{name}"]["weights"] for name in names}
    whole = pool.map(fit_on_all, {f"all-{name}": (name, splits, weights[name], labels) for name in names})
    units = {
        f"{name}-{split}": (
            name,
            split,
            {key: array[place] for key, array in whole[f"all-{name}"].items()},
            weights[name],
            *(data, represent, labels, settings.strong),
        )
        for name, (place, split) in product(names, enumerate(splits))
    }
    fitted = pool.map(fit, units)
    tables = {f"students-{unit}": listed(labels[unit], settings.strong) for unit in units}
    return {**fitted, **tables, **far}


def distance(name: str, seed: int, represent: Mapping[str, Any], labels: Mapping[str, Any], settings: Strong) -> Arrays:
    """How far the corpus is from a data set, and the weights of its molecules."""
    return students.distance(labels["strong"]["features"], represent[STRONG][name], settings, seed)


def fit_on_all(name: str, splits: Sequence[str], weights: Array, labels: Mapping[str, Any]) -> Arrays:
    """Heads (splits, teachers, width + 1) and freedom on all of the corpus, at once: it is the same for all splits."""
    features, given = labels["strong"]["features"], [labels[f"{name}-{split}"] for split in splits]
    taught = np.concatenate([own["corpus"][:, np.argsort(own["order"])] for own in given])
    found: Arrays = {}
    for inputs, counted in ((CORPUS, None), (WEIGHTED, weights)):
        fitted = ridge.fit(features, taught, weights=counted)
        found[f"{inputs}.heads"] = fitted.heads.reshape(len(splits), -1, fitted.heads.shape[1])
        found[f"{inputs}.freedom"] = fitted.freedom.reshape(len(splits), -1)
    return found


def fit(
    name: str,
    split: str,
    on_all: Arrays,
    weights: Array,
    data: Mapping[str, Any],
    represent: Mapping[str, Any],
    labels: Mapping[str, Any],
    settings: Strong,
) -> Arrays:
    """All students of one data set and split, teachers of one sample after each other, and the ceiling."""
    own, corpus, features = labels[f"{name}-{split}"], labels["strong"]["features"], represent[STRONG][name]
    heads, freedom, worth = [], [], []
    for sample in students.samples(settings, *_sizes(own)):
        rows = (own["population"] if sample.inputs == OWN else own["order"])[: sample.size]
        counted = weights[rows] if sample.inputs == WEIGHTED else np.ones(sample.size)
        if sample.whole and sample.inputs != OWN:
            heads.append(on_all[f"{sample.inputs}.heads"])
            freedom.append(on_all[f"{sample.inputs}.freedom"])
        else:
            seen, taught = (features, own["labels"]) if sample.inputs == OWN else (corpus, own["corpus"])
            fitted = ridge.fit(seen[rows], taught[:, : sample.size], weights=counted)
            heads.append(fitted.heads)
            freedom.append(fitted.freedom)
        worth += [students.effective(counted)] * len(own["labels"])
    stacked, teacher = np.concatenate(heads), own["teacher"]
    ceiling = ridge.fit(features[teacher], data[name]["labels"][None, teacher]).heads
    return {
        "student": ridge.predict(features, stacked),
        "norm": np.linalg.norm(stacked[:, :-1], axis=1),
        "freedom": np.concatenate(freedom),
        "effective": np.array(worth),
        "ceiling": ridge.predict(features, ceiling)[0],
    }


def listed(own: Arrays, settings: Strong) -> pd.DataFrame:
    """The rows of a bundle of students: teacher, sample, and how many weak labels."""
    rows = [
        (teacher, sample.inputs, sample.size, "whole" if sample.whole else "part")
        for sample in students.samples(settings, *_sizes(own))
        for teacher in range(len(own["labels"]))
    ]
    return pd.DataFrame(rows, columns=["teacher", "inputs", "n_train", "sample"])


def _sizes(own: Arrays) -> tuple[int, int]:
    """Molecules of the population and of the corpus."""
    return len(own["population"]), len(own["order"])
