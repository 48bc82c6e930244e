"""Train the teachers on true labels of their rows, and make the control teachers, which know no label.

Items: `<dataset>.<seed>` -> `<teacher>/<part>`: probabilities of class 1 for the parts weak, validation and test.
`random` is a random function of the words, `shuffled` the first teacher's answers given to other texts.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.finetuning.settings import TFIDF, Settings, Teacher

Array = np.ndarray
TAUGHT = ("weak", "validation", "test")
SPREAD = 2.0  # standard deviation of the random teacher's logits


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers of every set and seed."""
    bundles = (upstream["data"], upstream["represent"])
    units = {
        f"{dataset}.{seed}": (dataset, seed, settings, *bundles)
        for dataset in settings.data.datasets
        for seed in settings.data.seeds
    }
    return pool.map(teach, units)


def teach(
    dataset: str, seed: int, settings: Settings, data: Mapping[str, Any], represent: Mapping[str, Arrays]
) -> Arrays:
    """All frozen teachers of one seed."""
    table, parts = data[dataset], data[f"{dataset}.{seed}"]
    found: Arrays = {}
    for name, teacher in settings.weak.teachers.items():
        own = parts["truth"][: teacher.labels]
        features = _features(table, own, teacher, represent, dataset)
        labels = table["label"].to_numpy()[own] > 0.5
        if labels.all() or not labels.any():
            raise InputError(
                f"{dataset}, seed {seed}: all labels of {name} are equal; raise weak.teachers.{name}.labels"
            )
        fitted = LogisticRegression(C=teacher.c, max_iter=10_000).fit(features[own], labels)
        found |= {f"{name}/{part}": fitted.predict_proba(features[parts[part]])[:, 1] for part in TAUGHT}
    controls = settings.weak.controls
    if seed in controls.seeds:
        stream = streams.generator(seed, f"finetuning/{dataset}/controls")
        if "random" in controls.kinds:
            words = counts(table["text"], parts["truth"])
            found |= random_teacher(words, parts, stream)
        if "shuffled" in controls.kinds:
            first = next(iter(settings.weak.teachers))
            found |= {f"shuffled/{part}": stream.permutation(found[f"{first}/{part}"]) for part in TAUGHT}
    return found


def counts(texts: pd.Series, own: Array) -> Any:
    """Tf-idf of words and pairs of words that occur in some rows, for all rows; sparse (n, words)."""
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit(texts.iloc[own]).transform(texts)


def random_teacher(words: Any, parts: Arrays, stream: np.random.Generator) -> Arrays:
    """A linear function of the words with weights drawn at random, its logits centred on the teacher's rows."""
    scores = words @ stream.standard_normal(words.shape[1])
    own = scores[parts["truth"]]
    logits = SPREAD * (scores - np.median(own)) / own.std()
    return {f"random/{part}": 1 / (1 + np.exp(-logits[parts[part]])) for part in TAUGHT}


def _features(table: pd.DataFrame, own: Array, teacher: Teacher, represent: Mapping[str, Arrays], dataset: str) -> Any:
    """What a teacher sees of all rows: word counts, or a view scaled to unit variance on its own rows."""
    if teacher.features == TFIDF:
        return counts(table["text"], own)
    features = represent[f"{dataset}.{teacher.features}"]["features"].astype(np.float64)
    return StandardScaler().fit(features[own]).transform(features)
