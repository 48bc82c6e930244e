"""The shipped data files, each checked against its recorded sha256 before anything is read from it."""

import hashlib
import json
import lzma
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.core.errors import InputError

DATA = Path("data")
SUMS = "SHA256SUMS"
SPLITS = "moleculenet/chembench_random_splits.json"
CORPUS = "smiles/chembl_subset.txt.xz"
PARTS = ("train", "valid", "test")


class Source(NamedTuple):
    """Where a data set lies, its column of labels, and its name in the file of splits."""

    file: str
    label: str
    splits: str


SOURCES = {
    "esol": Source("moleculenet/delaney-processed.csv", "measured log solubility in mols per litre", "ESOL"),
    "freesolv": Source("moleculenet/SAMPL.csv", "expt", "FreeSolv"),
    "lipop": Source("moleculenet/Lipophilicity.csv", "exp", "Lipop"),
}


def content(name: str) -> bytes:
    """Bytes of a shipped file.  Raises InputError when it is missing, or is not the file that was recorded."""
    path = DATA / name
    remedy = f"restore it with `git checkout {path.as_posix()}`"
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} is missing; {remedy}") from None
    digest = hashlib.sha256(raw).hexdigest()
    if digest != checksums().get(name):
        raise InputError(f"{path} is truncated or altered (sha256 {digest[:12]}... is not the recorded one); {remedy}")
    return raw


def checksums() -> dict[str, str]:
    """Recorded sha256 of each shipped file; `sha256sum --check` reads the same list."""
    path = DATA / SUMS
    remedy = f"restore it with `git checkout {path.as_posix()}`"
    try:
        rows = [line.split(maxsplit=1) for line in path.read_bytes().decode(errors="replace").splitlines()]
    except FileNotFoundError:
        raise InputError(f"{path} is missing; {remedy}") from None
    for number, row in enumerate(rows):
        if len(row) != 2 or len(row[0]) != 64:
            raise InputError(f"{path}: line {number + 1} is no hash with the name of a file; {remedy}")
    return {name: digest for digest, name in rows}


def dataset(name: str) -> tuple[list[str], np.ndarray]:
    """SMILES and labels (n,) of a data set, in file order.  Raises InputError that names the row of a bad label."""
    source = SOURCES[name]
    table = pd.read_csv(BytesIO(content(source.file)), dtype=str)
    for column in ("smiles", source.label):
        if column not in table:
            raise InputError(f"{DATA / source.file} lacks the column {column}; correct or restore the file")
    labels = pd.to_numeric(table[source.label], errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(labels))
    if len(wrong):
        row = int(wrong[0])
        raise InputError(
            f"{DATA / source.file}: row {row} has the label '{table[source.label][row]}' under '{source.label}', "
            "which is not a number; correct or restore the file"
        )
    return [text.strip() for text in table["smiles"]], labels


def split(name: str, seed: str, size: int) -> dict[str, np.ndarray]:
    """Rows of the three parts of a ChemBench split of ``size`` molecules; disjoint, within range and complete."""
    try:
        parts = json.loads(content(SPLITS))[SOURCES[name].splits]["splits"][seed]
    except (ValueError, KeyError, TypeError) as error:
        where = f"{DATA / SPLITS}: split {seed} of {SOURCES[name].splits} cannot be read"
        raise InputError(f"{where} ({type(error).__name__}: {error}); restore the file") from None
    return checked(parts, name, seed, size)


def checked(parts: dict[str, list[int]], name: str, seed: str, size: int) -> dict[str, np.ndarray]:
    """Parts as arrays.  Raises InputError that names a row out of range, twice used, or left out."""
    where = f"{DATA / SPLITS}: {name}, split {seed}"
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


def corpus() -> list[str]:
    """SMILES of the ChEMBL subset that the weak models are pretrained on."""
    try:
        return lzma.decompress(content(CORPUS)).decode().splitlines()
    except (lzma.LZMAError, UnicodeDecodeError) as error:
        raise InputError(f"{DATA / CORPUS} is no xz archive of text ({error}); restore the file") from None
