"""Two tables or two JSON documents, number by number.

Both become columns: in a table as they stand; in a document all values under one path, list positions left out
(`protocols[].seeds[].gain[]`).  A difference is measured against the root mean square of its column in the reference.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.core.cells import NAMES

POSITION = re.compile(r"\[\d+\]")
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


class Column(NamedTuple):
    """Values that belong together, fresh and in the reference, and how far apart they are."""

    name: str
    fresh: pd.Series
    reference: pd.Series
    apart: np.ndarray  # infinite for different text, and where one of both is missing
    scale: float  # root mean square of the column in the reference
    place: Callable[[int], str]  # where the value of a row stands


class Moved(NamedTuple):
    """An estimate in both documents; ``share`` of the way from the reference to half of its interval's end."""

    place: str
    fresh: float
    reference: float
    share: float


Ends = tuple[float, float, float]  # an estimate and the ends of its interval


def tables(fresh: bytes, reference: bytes, keys: Sequence[str]) -> list[Column]:
    """Columns of two CSV tables, row by row; ``keys``: columns that name a row."""
    new, old = (pd.read_csv(BytesIO(content), dtype=dict.fromkeys(NAMES, str)) for content in (fresh, reference))
    if list(new.columns) != list(old.columns) or len(new) != len(old):
        shapes = [pd.Series([f"{len(table)} rows, {len(table.columns)} columns"]) for table in (new, old)]
        return [_column("the whole table", *shapes, lambda row: "its shape")]
    return [_column(column, new[column], old[column], lambda row: _named(old, row, keys)) for column in old]


def documents(fresh: bytes, reference: bytes) -> list[Column]:
    """Columns of two JSON documents; numbers inside a sentence are drawn from others, so they are left out."""
    new, old = (dict(_leaves(json.loads(content), "")) for content in (fresh, reference))
    columns: dict[str, list[str]] = {}
    for place in dict.fromkeys([*old, *new]):
        columns.setdefault(POSITION.sub("[]", place), []).append(place)
    return [
        _column(name, *(_values(side, places) for side in (new, old)), places.__getitem__)
        for name, places in columns.items()
    ]


def estimates(fresh: bytes, reference: bytes) -> list[Moved]:
    """Every estimate with an interval in a JSON document: how far it moved within the interval of the reference."""
    new, old = (dict(_estimates(json.loads(content), "")) for content in (fresh, reference))
    return [_moved(place, new.get(place), old.get(place)) for place in dict.fromkeys([*old, *new])]


def _moved(place: str, new: Ends | None, old: Ends | None) -> Moved:
    if new is None or old is None:
        return Moved(place, float("nan"), float("nan"), float("inf"))
    (value, *_), (middle, low, high) = new, old
    room = (high - middle) / 2 if value > middle else (middle - low) / 2
    away = abs(value - middle)
    return Moved(place, value, middle, 0.0 if away == 0 else away / room if room > 0 else float("inf"))


def _estimates(value: Any, place: str) -> Iterator[tuple[str, Ends]]:
    if isinstance(value, Mapping):
        found = _ends(value)
        if found is not None:
            yield place, found
            return
        for key, item in value.items():
            yield from _estimates(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for key, item in _listed(value):
            yield from _estimates(item, f"{place}[{key}]")


def _ends(value: Mapping[str, Any]) -> Ends | None:
    if "interval" in value:
        ends = (value.get("measured"), *value["interval"])
    else:
        ends = (value.get("value", value.get("mean")), value.get("low"), value.get("high"))
    return ends if all(isinstance(end, int | float) for end in ends) else None


def _listed(value: list[Any]) -> list[tuple[Any, Any]]:
    return [(item["id"] if isinstance(item, Mapping) and "id" in item else i, item) for i, item in enumerate(value)]


def _values(leaves: Mapping[str, Any], places: list[str]) -> pd.Series:
    return pd.Series([_masked(leaves.get(place, "(absent)")) for place in places], dtype=object)


def _column(name: str, new: pd.Series, old: pd.Series, place: Callable[[int], str]) -> Column:
    numbers = [pd.to_numeric(side, errors="coerce").to_numpy(dtype=np.float64) for side in (new, old)]
    known = numbers[1][np.isfinite(numbers[1])]
    scale = float(np.sqrt(np.mean(known**2))) if len(known) else 0.0
    apart = np.abs(numbers[0] - numbers[1])
    apart[((new == old) | (new.isna() & old.isna())).to_numpy(dtype=bool)] = 0
    apart[np.isnan(apart)] = np.inf
    return Column(name, new, old, apart, scale, place)


def _named(table: pd.DataFrame, row: int, keys: Sequence[str]) -> str:
    known = [(key, table[key].iloc[row]) for key in keys if key in table and pd.notna(table[key].iloc[row])]
    return f"line {row + 2} ({', '.join(f'{key} {value}' for key, value in known)})"


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for key, item in _listed(value):
            yield from _leaves(item, f"{place}[{key}]")
    else:
        yield place, value


def _masked(value: Any) -> Any:
    return NUMBER.sub("#", value) if isinstance(value, str) else value
