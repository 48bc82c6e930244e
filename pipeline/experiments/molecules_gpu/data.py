"""Data of the molecules experiment, with the whole corpus for pretraining in place of the shipped part of it.

Molecules of the downstream sets are left out of the corpus by canonical SMILES.
"""

import lzma
from collections.abc import Collection, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common import files as shipped
from pipeline.experiments.molecules.data import canonical, census, describe, halved, spaced
from pipeline.experiments.molecules_gpu.common.settings import Corpus, Data, Settings
from pipeline.experiments.preferences.common import files
from pipeline.models.molecules import smiles
from pipeline.scale import machine

CHUNK = 3000  # molecules a worker describes at a time


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Items of the molecules experiment."""
    machine.stated("molecules_gpu")
    data = settings.data
    labels = {name: shipped.dataset(name) for name in data.datasets}
    texts_of = {name: canonical(name, texts) for name, (texts, _) in labels.items()}
    lines = corpus(data.corpus, {text for texts in texts_of.values() for text in texts})
    vocabulary = smiles.vocabulary(lines, data.corpus.rarest_token)
    splits = {
        f"{name}-{seed}": halved(shipped.split(name, seed, len(texts_of[name])), data.seed, f"{name}-{seed}")
        for name, seed in product(data.datasets, data.splits)
    }
    return {
        **{name: {"labels": labels[name][1], **encoded(texts, vocabulary)} for name, texts in texts_of.items()},
        **splits,
        "molecules": pd.DataFrame(
            [(name, row, text) for name, texts in texts_of.items() for row, text in enumerate(texts)],
            columns=["dataset", "row", "smiles"],
        ),
        "corpus": described(lines, vocabulary, data, pool),
        "vocabulary": vocabulary,
        "census": {key: census(texts_of[key.rpartition("-")[0]], parts) for key, parts in splits.items()},
    }


def corpus(settings: Corpus, downstream: Collection[str]) -> list[str]:
    """Lines of the source that are in no downstream set, as many as wanted, at even distances."""
    path = files.found("corpus of molecules_gpu", settings.source, "run the study `molecules_study` instead")
    with lzma.open(path, "rt", encoding="utf-8") as stream:
        lines = [line for line in stream.read().splitlines() if line not in downstream]
    if settings.molecules > len(lines):
        raise InputError(
            f"params.yaml: molecules_gpu.data.corpus.molecules is {settings.molecules}, but {path} holds {len(lines)} "
            "that are in no downstream set; lower it"
        )
    return spaced(lines, settings.molecules)


def encoded(texts: Sequence[str], vocabulary: Sequence[str]) -> Arrays:
    """Tokens and lengths."""
    tokens, lengths = smiles.encode(texts, vocabulary)
    return {"tokens": tokens, "lengths": lengths}


def described(lines: Sequence[str], vocabulary: Sequence[str], data: Data, pool: Pool) -> Arrays:
    """Tokens, lengths and standardised descriptors of the corpus."""
    seeds = streams.generator(data.seed, "molecules/permutations").integers(1, 2**31 - 1, len(lines))
    units = {
        f"corpus-{first}": (lines[first : first + CHUNK], first, seeds[first : first + CHUNK], vocabulary, data.corpus)
        for first in range(0, len(lines), CHUNK)
    }
    pieces = list(pool.map(describe, units).values())
    lengths = np.concatenate([piece["lengths"] for piece in pieces])
    tokens = np.full((len(lengths), lengths.max()), smiles.PAD, dtype=np.int16)
    for first, piece in zip(range(0, len(lines), CHUNK), pieces, strict=True):
        tokens[first : first + CHUNK, : piece["tokens"].shape[1]] = piece["tokens"]
    values = smiles.standardised(
        np.concatenate([piece["descriptors"] for piece in pieces]), data.corpus.descriptor_clip
    )
    return {"tokens": tokens, "lengths": lengths, "descriptors": values.astype(np.float32)}
