"""Weak labels of the population and of the corpus, in the order in which students see them.

Items: `<dataset>-<split>` with `teacher` (rows), `population` (rows) and `labels` (teachers, rows) in that order,
`order` (molecules of the corpus) and `corpus` (teachers, molecules) in that order; `strong` with `features` of the
corpus by the strong model, of which no other bundle has any.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common.pretrained import model
from pipeline.experiments.molecules.common.rungs import listed
from pipeline.experiments.molecules_scaling.common import corpus
from pipeline.experiments.molecules_scaling.settings import Settings
from pipeline.models.molecules import hub, minimol, smiles, transformer

CHUNK = 500  # molecules that are read and kept at a time


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Weak labels of every data set and split, and features of the corpus."""
    texts = corpus.lines(settings, upstream["data"]["molecules"]["smiles"])
    units = {f"strong-{first}": texts[first : first + CHUNK] for first in range(0, len(texts), CHUNK)}
    read = pool.map(read_strong, {name: (some, settings, upstream) for name, some in units.items()})
    items: dict[str, Any] = {"strong": {"features": np.concatenate([made["features"] for made in read.values()])}}
    for name, split in product(settings.data.datasets, settings.splits()):
        stream = streams.generator(settings.weak.seed, f"molecules_scaling/order-{name}-{split}")
        items[f"{name}-{split}"] = labelled(upstream["weak"][f"{name}-{split}"], stream)
    return items


def labelled(teachers: Arrays, stream: np.random.Generator) -> Arrays:
    """Molecules in random order with the labels of each teacher."""
    rows = stream.permutation(teachers["population"])
    order = stream.permutation(teachers["corpus"].shape[1])
    return {
        "teacher": teachers["teacher"],
        "population": rows,
        "labels": teachers["predictions"][:, rows],
        "order": order,
        "corpus": teachers["corpus"][:, order],
    }


def read_strong(texts: Sequence[str], settings: Settings, upstream: Mapping[str, Any]) -> Arrays:
    """Features of some molecules by the strong model of `molecules`."""
    if settings.represent.strong == "minimol":
        return {"features": minimol.represent(texts, minimol.model_file())}
    if settings.represent.strong == "hub":
        return {"features": hub.represent(list(texts), settings.represent.hub.model, settings.represent.hub.revision)}
    largest = max((r for r in listed(upstream["represent"]["rungs"]) if r.ladder == "smiles"), key=lambda r: r.size)
    encoded = transformer.Sequences(*smiles.encode(texts, upstream["data"]["vocabulary"]))
    return {"features": transformer.represent(model(upstream["represent"][f"weights-{largest.item}"]), encoded)}
