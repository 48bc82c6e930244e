"""Fit the teachers on true labels, and let each predict its data set and the corpus.

Items: `<dataset>-<split>` with `teacher` (rows it learned from), `population` (all others, the student's half, valid
and test), `test`, `predictions` (teachers, n) and `corpus` (teachers, molecules); `teachers`, the table of the rows.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common import rungs
from pipeline.experiments.molecules.common.pretrained import model
from pipeline.experiments.molecules.common.rungs import Rung
from pipeline.experiments.molecules_scaling.common import corpus
from pipeline.experiments.molecules_scaling.settings import Settings, Weak
from pipeline.models import ridge
from pipeline.models.molecules import smiles, transformer

Array = np.ndarray
RANDOM, SHUFFLED = "random", "shuffled"


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Teachers of every data set and split."""
    data, represent = upstream["data"], upstream["represent"]
    chosen = ladder(settings.weak, rungs.listed(represent["rungs"]))
    lines = corpus.lines(settings, data["molecules"]["smiles"])
    read = pool.map(read_corpus, {rung.item: (rung, lines, data, represent) for rung in chosen})
    keys = list(product(settings.data.datasets, settings.splits()))
    # Few and small: the features of the corpus would take longer to send than a fit takes.
    fitted = {
        f"{name}-{split}": fit(
            f"{name}-{split}",
            data[name]["labels"],
            [represent[rung.item][name] for rung in chosen],
            [read[rung.item]["features"] for rung in chosen],
            settings.weak,
        )
        for name, split in keys
    }
    named = [(rung.name, rung.seed, "") for rung in chosen]
    controls = [(control, chosen[-1].seed, control) for control in (RANDOM, SHUFFLED)]
    return {**fitted, "teachers": pd.DataFrame([*named, *controls], columns=["weak", "seed", "control"])}


def ladder(settings: Weak, listed: Sequence[Rung]) -> list[Rung]:
    """The rungs that become teachers, small to large, of the first seed of pretraining."""
    known = {rung.size: rung for rung in reversed(listed) if rung.ladder == "smiles"}
    for size in settings.hidden_sizes:
        if size not in known:
            raise InputError(
                f"weak.hidden_sizes holds {size}, which is no rung of the upstream ladder {sorted(known)}; choose from "
                "these in {where}"
            )
    return [known[size] for size in sorted(settings.hidden_sizes)]


def read_corpus(rung: Rung, lines: Sequence[str], data: Mapping[str, Any], represent: Mapping[str, Any]) -> Arrays:
    """Features of the corpus by one pretrained transformer."""
    encoded = transformer.Sequences(*smiles.encode(lines, data["vocabulary"]))
    return {"features": transformer.represent(model(represent[f"weights-{rung.item}"]), encoded)}


def fit(name: str, truth: Array, features: Sequence[Array], corpus: Sequence[Array], settings: Weak) -> Arrays:
    """Predictions of every teacher of one data set and split, for its molecules and for the corpus."""
    parts = split(name, len(truth), settings)
    rows = parts["teacher"]
    heads = [ridge.fit(own[rows], truth[None, rows]).heads for own in features]
    predictions = [ridge.predict(own, head) for own, head in zip(features, heads, strict=True)]
    elsewhere = [ridge.predict(own, head) for own, head in zip(corpus, heads, strict=True)]
    wave = random_function(name, features[-1], truth[rows], settings)
    stream = streams.generator(settings.seed, f"molecules_scaling/shuffled-{name}")
    predictions += [wave(features[-1]), stream.permutation(predictions[-1], axis=1)]
    elsewhere += [wave(corpus[-1]), stream.permutation(elsewhere[-1], axis=1)]
    stacked = {"predictions": predictions, "corpus": elsewhere}
    return {**parts, **{key: np.concatenate(arrays).astype(np.float32) for key, arrays in stacked.items()}}


def split(name: str, size: int, settings: Weak) -> Arrays:
    """Rows of a random split: half of train for the teacher; all others are the population, test among them."""
    order = streams.generator(settings.seed, f"molecules_scaling/split-{name}").permutation(size)
    train, test = round(settings.train * size), round((settings.train + settings.valid) * size)
    half = train // 2
    return {"teacher": order[:half], "population": order[half:], "test": order[test:]}


def random_function(name: str, features: Array, truth: Array, settings: Weak) -> Any:
    """A sine of one random direction of the features, with mean and deviation of the truth; it knows no label."""
    stream = streams.generator(settings.seed, f"molecules_scaling/random-{name}")
    direction, phase = stream.normal(size=features.shape[1]), stream.uniform(0, 2 * np.pi)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    spread = float(((features - mean) / deviation @ direction).std())

    def wave(some: Array) -> Array:
        along = (some - mean) / deviation @ direction / spread
        return (truth.mean() + np.sqrt(2) * truth.std() * np.sin(settings.frequency * along + phase))[None]

    return wave
