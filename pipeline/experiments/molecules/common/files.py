"""The files of molecules: data sets, splits and the pretraining corpus, each checked before it is read."""

import json
import lzma
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.core import files, tabular
from pipeline.core.errors import InputError
from pipeline.core.files import File

NO_MOLECULE = ("", "na", "nan", "none", "null")  # as spreadsheets and libraries write an empty cell; no SMILES
PARTS = ("train", "valid", "test")


class Source(NamedTuple):
    """Column of labels of a data set, and its name in the file of splits."""

    label: str
    splits: str


SOURCES = {
    "esol": Source("measured log solubility in mols per litre", "ESOL"),
    "freesolv": Source("expt", "FreeSolv"),
    "lipop": Source("exp", "Lipop"),
}


def dataset(name: str, file: File) -> tuple[Path, list[str], np.ndarray]:
    """Place, SMILES and labels (n,) of a data set, in file order.  Raises InputError that names a bad label's row."""
    path, column = files.found(f"data set {name}", file), SOURCES[name].label
    table = tabular.read(path, f"data set {name}")
    for wanted in ("smiles", column):
        if wanted not in table:
            raise InputError(f"{path} lacks the column {wanted}; correct or restore the file")
    labels = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(labels))
    if len(wrong):
        row = int(wrong[0])
        raise InputError(
            f"{path}: row {row} has the label '{table[column][row]}' under '{column}', which is not a number; correct "
            "or restore the file"
        )
    if (labels == labels[0]).all():
        raise InputError(f"{path}: all labels under '{column}' are {labels[0]:g}; correct or restore the file")
    texts = [text.strip() for text in table["smiles"]]
    for row, text in enumerate(texts):
        if text.lower() in NO_MOLECULE:
            raise InputError(f"{path}: row {row} has no SMILES ('{text}'); correct or restore the file")
    return path, texts, labels


def split(name: str, seed: str, size: int, file: File) -> dict[str, np.ndarray]:
    """Rows of the three parts of a ChemBench split of ``size`` molecules; disjoint, within range and complete."""
    path = files.found("ChemBench splits", file)
    try:
        parts = json.loads(path.read_bytes())[SOURCES[name].splits]["splits"][seed]
    except (ValueError, KeyError, TypeError) as error:
        where = f"{path}: split {seed} of {SOURCES[name].splits} cannot be read"
        raise InputError(f"{where} ({type(error).__name__}: {error}); restore the file") from None
    return checked(parts, f"{path}: {name}, split {seed}", size)


def checked(parts: dict[str, list[int]], where: str, size: int) -> dict[str, np.ndarray]:
    """Parts as arrays.  Raises InputError that names a row out of range, twice used, or left out."""
    seen: dict[int, str] = {}
    for part in PARTS:
        for row in parts[part]:
            if not isinstance(row, int) or not 0 <= row < size:
                raise InputError(f"{where}: {part} holds row {row}, but rows go from 0 to {size - 1}; restore the file")
            if row in seen:
                raise InputError(f"{where}: row {row} is in {seen[row]} and again in {part}; restore the file")
            seen[row] = part
    if len(seen) < size:
        left_out = next(row for row in range(size) if row not in seen)
        raise InputError(f"{where}: row {left_out} is in no part; restore the file")
    return {part: np.array(parts[part], dtype=np.int64) for part in PARTS}


def corpus(file: File) -> tuple[Path, list[str]]:
    """Place and SMILES of the corpus that the weak models are pretrained on."""
    path = files.found("pretraining corpus", file, "take a smaller corpus: the one of params.yaml is in data/")
    try:
        return path, lzma.decompress(path.read_bytes()).decode().splitlines()
    except (lzma.LZMAError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no xz archive of text ({error}); restore the file") from None
