"""Tables as people keep them: CSV, TSV, JSON lines or Parquet, plain or compressed.  A fault is one line.

Nothing is guessed of the values: in CSV and TSV all are text (an empty field and `NA` too), elsewhere they are what the
file says.
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core.errors import InputError

PACKED: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".xz": lzma.decompress, ".bz2": bz2.decompress}
KINDS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
FEW = 20  # columns that a message names


class _Fault(Exception):
    """What is wrong with a file, and the remedy."""


def read(path: Path, owner: str) -> pd.DataFrame:
    """All rows and columns of a table, at least one row.  Raises InputError that names the file, its owner, the fault.

    The ending says what the file is: see KINDS, with .gz, .xz or .bz2 after it where it is compressed.
    """
    endings = [ending.lower() for ending in path.suffixes]
    packed = endings[-1:] if endings and endings[-1] in PACKED else []
    kind = next(iter(endings[: -1 if packed else None][-1:]), "")
    try:
        if kind not in KINDS:
            raise _Fault(
                f"its ending says no kind of table; name it .csv, .tsv, .jsonl or .parquet (and .gz or .xz): {kind}"
            )
        content = _unpacked(path.read_bytes(), *packed)
        table = _parquet(content) if kind == ".parquet" else _READERS[kind](_text(content))
        if table.empty:
            raise _Fault("it holds no row; look at how it was written")
    except _Fault as fault:
        what = "lines of JSON" if kind in (".jsonl", ".ndjson", ".json") else "a table"
        raise InputError(f"{owner}: {path} cannot be read as {what}: {fault}") from None
    return table


def columns(table: pd.DataFrame, wanted: Mapping[str, str], owner: str, key: str) -> pd.DataFrame:
    """The columns that play a role, under its name.  Raises InputError that names one that is not there.

    key: where roles are named, `{role}` in the place of the role.
    """
    for role, column in wanted.items():
        if column not in table:
            named = key.replace("{role}", role)
            held = [str(name) for name in table][:FEW]
            raise InputError(f"{owner}: there is no column '{column}', only {', '.join(held)}; correct {named}")
    return pd.DataFrame({role: table[column] for role, column in wanted.items()})


def _unpacked(content: bytes, *packed: str) -> bytes:
    try:
        return PACKED[packed[0]](content) if packed else content
    except (OSError, EOFError, ValueError, lzma.LZMAError) as error:
        raise _Fault(f"no whole {packed[0]} archive ({error}); pack it again") from None


def _text(content: bytes) -> str:
    if not content.strip():
        raise _Fault("it is empty; look at how it was written")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _Fault("not UTF-8 but UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _Fault(f"not UTF-8 (byte 0x{content[error.start]:02x} in line {line}); save it as UTF-8") from None


def _csv(text: str) -> pd.DataFrame:
    return _rows(text, delimiter=",", strict=True)


def _tsv(text: str) -> pd.DataFrame:
    """Quotes as in CSV where that fits every row; else they are characters as any other, as in most plain TSV."""
    try:
        return _rows(text, delimiter="\t", strict=True)
    except _Fault:
        return _rows(text, delimiter="\t", quoting=csv.QUOTE_NONE)


def _rows(text: str, **dialect: Any) -> pd.DataFrame:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    reader = csv.reader(io.StringIO(text, newline=""), **dialect)
    try:
        header = next(reader)
        rows = []
        for row in reader:
            if row and len(row) != len(header):
                found = f"line {reader.line_num} has {len(row)} fields, the header {len(header)}"
                other = next((mark for mark in ";\t|" if len(header) == 1 and mark in header[0]), None)
                remedy = f"is the separator {other!r}? save it with" if other else "quote fields that hold"
                raise _Fault(f"{found}; {remedy} the separator {dialect['delimiter']!r}")
            if row:
                rows.append(row)
    except csv.Error as error:
        raise _Fault(f"line {reader.line_num}: {error}; close the quotes") from None
    if len(set(header)) < len(header):
        double = next(name for name in header if header.count(name) > 1)
        raise _Fault(f"the header names '{double}' twice; rename one")
    return pd.DataFrame(rows, columns=header, dtype=object)


def _json(text: str) -> pd.DataFrame:
    """A line an object; or one list of objects."""
    if text.lstrip().startswith("["):
        rows = _parsed(text, "the list")
    else:
        rows = [_parsed(line, f"line {place}") for place, line in enumerate(text.split("\n"), 1) if line.strip()]
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            raise _Fault(f"row {place} is {str(row)[:40]!r}, no object of columns; write one object a line")
    return pd.DataFrame(rows, dtype=object)


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise _Fault(f"{where} is no JSON ({error}); correct it") from None


def _parquet(content: bytes) -> pd.DataFrame:
    if not content:
        raise _Fault("it is empty; look at how it was written")
    try:
        return pd.read_parquet(io.BytesIO(content))
    except (OSError, ValueError) as error:
        raise _Fault(f"no whole Parquet file ({' '.join(str(error).split())[:100]}); write it again") from None


_READERS = {".csv": _csv, ".tsv": _tsv, ".jsonl": _json, ".ndjson": _json, ".json": _json}
