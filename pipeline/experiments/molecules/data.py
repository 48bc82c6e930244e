"""Read and check the shipped molecules; prepare what pretraining predicts.

Items: `<dataset>` (labels, tokens, lengths), `<dataset>-<split>` (rows of each part, and of the halves of train),
`molecules` (table of canonical SMILES), `corpus` (tokens, lengths, descriptors), `vocabulary`, `census`.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from rdkit import Chem

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common import files
from pipeline.experiments.molecules.common.settings import Corpus, Data, Settings
from pipeline.models.molecules import smiles

CHUNK = 3000  # molecules a worker describes at a time


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Checked data sets and splits, and the pretraining corpus."""
    data = settings.data
    lines = spaced(files.corpus(), data.corpus.molecules)
    vocabulary = smiles.vocabulary(lines, data.corpus.rarest_token)
    labels = {name: files.dataset(name) for name in data.datasets}
    texts_of = {name: canonical(name, texts) for name, (texts, _) in labels.items()}
    splits = {
        f"{name}-{seed}": halved(files.split(name, seed, len(texts_of[name])), data.seed, f"{name}-{seed}")
        for name, seed in product(data.datasets, data.splits)
    }
    return {
        **{name: {"labels": labels[name][1], **_encoded(texts, vocabulary)} for name, texts in texts_of.items()},
        **splits,
        "molecules": pd.DataFrame(
            [(name, row, text) for name, texts in texts_of.items() for row, text in enumerate(texts)],
            columns=["dataset", "row", "smiles"],
        ),
        "corpus": _corpus(lines, vocabulary, data, pool),
        "vocabulary": vocabulary,
        "census": {key: census(texts_of[key.rpartition("-")[0]], parts) for key, parts in splits.items()},
    }


def spaced(lines: Sequence[str], count: int) -> list[str]:
    """``count`` lines at even distances; the file is in alphabetical order, so its beginning is no fair sample."""
    if count > len(lines):
        raise InputError(
            f"params.yaml: molecules.data.corpus.molecules is {count}, but {files.DATA / files.CORPUS} holds "
            f"{len(lines)}; lower it"
        )
    return [lines[index * len(lines) // count] for index in range(count)]


def canonical(name: str, texts: Sequence[str]) -> list[str]:
    """Canonical SMILES of a data set.  Raises InputError that names the row of one that cannot be read."""
    where = files.DATA / files.SOURCES[name].file
    return [Chem.MolToSmiles(smiles.parse(text, f"{where}: row {row}")) for row, text in enumerate(texts)]


def halved(parts: Mapping[str, np.ndarray], seed: int, name: str) -> Arrays:
    """The parts, and the training molecules in two disjoint halves at random: the teacher's and the student's."""
    shuffled = streams.generator(seed, f"molecules/halves-{name}").permutation(parts["train"])
    middle = len(shuffled) // 2
    return {**parts, "teacher_half": shuffled[:middle], "student_half": shuffled[middle:]}


def census(texts: Sequence[str], parts: Mapping[str, np.ndarray]) -> dict[str, int]:
    """How many molecules of each part are, as canonical SMILES, also in the training part of the same split."""
    trained = {texts[row] for row in parts["train"]}
    return {f"{part}_also_in_train": sum(texts[row] in trained for row in parts[part]) for part in ("valid", "test")}


def describe(lines: Sequence[str], first: int, seeds: np.ndarray, vocabulary: Sequence[str], corpus: Corpus) -> Arrays:
    """Tokens, lengths and descriptors of a piece of the corpus that begins at line ``first``, counted from 0."""
    calculator = smiles.calculator(corpus.descriptors)
    molecules = [
        smiles.parse(text, f"{files.DATA / files.CORPUS}, line {first + row + 1}") for row, text in enumerate(lines)
    ]
    written = lines
    if corpus.permute:
        written = [smiles.permuted(molecule, int(seed)) for molecule, seed in zip(molecules, seeds, strict=True)]
    values = np.stack([smiles.descriptors(molecule, calculator) for molecule in molecules])
    return {**_encoded(written, vocabulary), "descriptors": values}


def _corpus(lines: Sequence[str], vocabulary: Sequence[str], data: Data, pool: Pool) -> Arrays:
    seeds = streams.generator(data.seed, "molecules/permutations").integers(1, 2**31 - 1, len(lines))
    units = {
        f"corpus-{first}": (lines[first : first + CHUNK], first, seeds[first : first + CHUNK], vocabulary, data.corpus)
        for first in range(0, len(lines), CHUNK)
    }
    pieces = list(pool.map(describe, units).values())
    longest = max(piece["tokens"].shape[1] for piece in pieces)
    tokens = [np.pad(piece["tokens"], ((0, 0), (0, longest - piece["tokens"].shape[1]))) for piece in pieces]
    values = np.concatenate([piece["descriptors"] for piece in pieces])
    return {
        "tokens": np.concatenate(tokens),
        "lengths": np.concatenate([piece["lengths"] for piece in pieces]),
        "descriptors": smiles.standardised(values, data.corpus.descriptor_clip).astype(np.float32),
    }


def _encoded(texts: Sequence[str], vocabulary: Sequence[str]) -> Arrays:
    tokens, lengths = smiles.encode(texts, vocabulary)
    return {"tokens": tokens, "lengths": lengths}
