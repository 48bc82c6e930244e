"""Students by name, and the weights that carry the corpus over to a data set."""

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from pipeline.core.artifacts import Arrays
from pipeline.experiments.molecules_scaling.settings import Strong

Array = np.ndarray
OWN, CORPUS, WEIGHTED = "own", "corpus", "weighted"


class Sample(NamedTuple):
    """Whose molecules a student learns from, how many, and whether these are all there are."""

    inputs: str
    size: int
    whole: bool


def samples(settings: Strong, population: int, corpus: int) -> list[Sample]:
    """The samples of one data set and split; sizes that it does not have are left out, all of it is always there."""
    wanted = {
        OWN: ([*settings.own, population], population),
        CORPUS: (settings.corpus, corpus),
        WEIGHTED: (settings.weighted, corpus),
    }
    return [
        Sample(inputs, count, count == most)
        for inputs, (counts, most) in wanted.items()
        for count in sorted(set(counts))
        if count <= most
    ]


def distance(corpus: Array, dataset: Array, settings: Strong, seed: int) -> Arrays:
    """How far the corpus (m, width) is from a data set (n, width), no label read.

    auc (1,): of a logistic classifier between the two, on folds that it did not see; .5 where they are alike.
    weights (m,): odds of belonging to the data set, mean 1, from the same folds, cut off at ``clip`` times their mean.
    """
    features = np.concatenate([corpus, dataset]).astype(np.float64)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    features = (features - mean) / np.where(deviation > 0, deviation, 1.0)
    belongs = np.repeat([0, 1], [len(corpus), len(dataset)])
    scores = np.empty(len(features))
    for seen, held in StratifiedKFold(settings.folds, shuffle=True, random_state=seed).split(features, belongs):
        model = LogisticRegression(C=settings.inverse_penalty, max_iter=1000).fit(features[seen], belongs[seen])
        scores[held] = model.decision_function(features[held])
    odds = np.exp(scores[: len(corpus)] - scores[: len(corpus)].max())
    weights = np.minimum(odds / odds.mean(), settings.clip)
    return {"auc": np.array([roc_auc_score(belongs, scores)]), "weights": weights / weights.mean()}


def effective(weights: Array) -> float:
    """Effective sample size of some weights, (sum w)^2 / sum w^2 (Kish)."""
    return float(weights.sum() ** 2 / np.sum(weights**2))
