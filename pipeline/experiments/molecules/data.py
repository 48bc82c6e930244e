"""Read and check the molecules; prepare what pretraining predicts.  No molecule of a data set is in the corpus.

Items: `<dataset>` (labels, tokens, lengths), `<dataset>-<split>` (rows of each part, and of the halves of train),
`molecules` (table of canonical SMILES), `corpus` (tokens, lengths, descriptors), `vocabulary`, `census`.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rdkit import Chem

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common import files
from pipeline.experiments.molecules.settings import SHARES, Corpus, Data, Settings
from pipeline.models.molecules import smiles
from pipeline.models.molecules.special import PAD

CHUNK = 3000  # molecules a worker describes at a time


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Checked data sets and splits, and the pretraining corpus."""
    data = settings.data
    read = {name: files.dataset(name, data.files[name]) for name in data.datasets}
    texts_of = {name: canonical(path, texts) for name, (path, texts, _) in read.items()}
    source, lines = corpus(data.corpus, {text for texts in texts_of.values() for text in texts})
    vocabulary = smiles.vocabulary(lines, data.corpus.rarest_token)
    splits = {f"{name}-{seed}": split(name, seed, len(texts_of[name]), data) for name, seed in pairs(data)}
    return {
        **{name: {"labels": read[name][2], **_encoded(texts, vocabulary)} for name, texts in texts_of.items()},
        **splits,
        "molecules": pd.DataFrame(
            [(name, row, text) for name, texts in texts_of.items() for row, text in enumerate(texts)],
            columns=["dataset", "row", "smiles"],
        ),
        "corpus": _described(source, lines, vocabulary, data, pool),
        "vocabulary": vocabulary,
        "census": {key: census(texts_of[key.rpartition("-")[0]], parts) for key, parts in splits.items()},
    }


def pairs(data: Data) -> list[tuple[str, str]]:
    """Every data set with every split."""
    return list(product(data.datasets, data.splits.names))


def corpus(settings: Corpus, downstream: Collection[str]) -> tuple[Path, list[str]]:
    """Place of the corpus, and as many of its lines as wanted, at even distances; none is in ``downstream``.

    The file is in alphabetical order, so its beginning is no fair sample.
    """
    path, lines = files.corpus(settings.source)
    lines, count = [line for line in lines if line not in downstream], settings.molecules
    if count > len(lines):
        raise InputError(
            f"data.corpus.molecules is {count}, but {path} holds {len(lines)} that are in no downstream set; lower it "
            "in {where}"
        )
    return path, [lines[index * len(lines) // count] for index in range(count)]


def canonical(where: Path, texts: Sequence[str]) -> list[str]:
    """Canonical SMILES of a data set.  Raises InputError that names the row of one that cannot be read."""
    found = [Chem.MolToSmiles(smiles.parse(text, f"{where}: row {row}")) for row, text in enumerate(texts)]
    for row, text in enumerate(found):
        if (count := len(smiles.tokens(text))) > smiles.LONGEST:
            raise InputError(f"{where}: row {row} has {count} tokens, the models read {smiles.LONGEST}; leave it out")
    return found


def split(name: str, seed: str, size: int, data: Data) -> Arrays:
    """Rows of each part of a split, and of the halves of its training part."""
    if data.splits.panel(seed) == "random":
        parts = random_split(size, streams.generator(data.seed, f"molecules/split-{name}-{seed}"))
    else:
        parts = files.split(name, seed, size, data.files["splits"])
    return halved(parts, data.seed, f"{name}-{seed}")


def random_split(size: int, stream: np.random.Generator) -> Arrays:
    """Three disjoint parts of ``size`` molecules by one permutation, in the shares of a split of ours."""
    order = stream.permutation(size)
    train, valid = (int(share * size) for share in SHARES.values())
    return {"train": order[:train], "valid": order[train : train + valid], "test": order[train + valid :]}


def halved(parts: Mapping[str, np.ndarray], seed: int, name: str) -> Arrays:
    """The parts, and the training molecules in two disjoint halves at random: the teacher's and the student's."""
    shuffled = streams.generator(seed, f"molecules/halves-{name}").permutation(parts["train"])
    middle = len(shuffled) // 2
    return {**parts, "teacher_half": shuffled[:middle], "student_half": shuffled[middle:]}


def census(texts: Sequence[str], parts: Mapping[str, np.ndarray]) -> dict[str, int]:
    """How many molecules of each part are, as canonical SMILES, also in the training part of the same split."""
    trained = {texts[row] for row in parts["train"]}
    return {f"{part}_also_in_train": sum(texts[row] in trained for row in parts[part]) for part in ("valid", "test")}


def describe(
    source: Path, lines: Sequence[str], first: int, seeds: np.ndarray, vocabulary: Sequence[str], corpus: Corpus
) -> Arrays:
    """Tokens, lengths and descriptors of a piece of the corpus that begins at molecule ``first``, counted from 0."""
    calculator = smiles.calculator(corpus.descriptors)
    molecules = [smiles.parse(text, f"{source}, molecule {first + row + 1}") for row, text in enumerate(lines)]
    written = lines
    if corpus.permute:
        written = [smiles.permuted(molecule, int(seed)) for molecule, seed in zip(molecules, seeds, strict=True)]
    values = np.stack([smiles.descriptors(molecule, calculator) for molecule in molecules])
    return {**_encoded(written, vocabulary), "descriptors": values}


def _described(source: Path, lines: Sequence[str], vocabulary: Sequence[str], data: Data, pool: Pool) -> Arrays:
    seeds = streams.generator(data.seed, "molecules/permutations").integers(1, 2**31 - 1, len(lines))
    rows = {f"corpus-{first}": slice(first, first + CHUNK) for first in range(0, len(lines), CHUNK)}
    pieces = pool.map(
        describe,
        {
            name: (source, lines[piece], piece.start, seeds[piece], vocabulary, data.corpus)
            for name, piece in rows.items()
        },
    )
    lengths = np.concatenate([piece["lengths"] for piece in pieces.values()])
    tokens = np.full((len(lengths), lengths.max()), PAD, dtype=np.int16)
    for name, piece in pieces.items():
        tokens[rows[name], : piece["tokens"].shape[1]] = piece["tokens"]
    values = np.concatenate([piece["descriptors"] for piece in pieces.values()])
    described = smiles.standardised(values, data.corpus.descriptor_clip).astype(np.float32)
    return {"tokens": tokens, "lengths": lengths, "descriptors": described}


def _encoded(texts: Sequence[str], vocabulary: Sequence[str]) -> Arrays:
    tokens, lengths = smiles.encode(texts, vocabulary)
    return {"tokens": tokens, "lengths": lengths}
