"""Which cells a claim speaks of: any column, any value, checked against the cells there are."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import pandas as pd
from pydantic import AfterValidator

from pipeline.core.config import Word

LISTED = 12  # values of a column that a message names


def plain(value: Any) -> str | int | float | bool:
    """A value that a cell may have."""
    if isinstance(value, str | int | float):
        return value
    raise ValueError("give one text, one number, true or false")


def changed(value: Any) -> str | int | float | bool | None:
    """A value that a cell may have in place of another, or None for any."""
    return None if value is None else plain(value)


Value = Annotated[Any, AfterValidator(plain)]
Filter = dict[Word, Value]
Changes = dict[Word, Annotated[Any, AfterValidator(changed)]]


class NoColumn(Exception):
    """The cells have no column ``key``; the message says which they have."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class NoCells(Exception):
    """No cell has ``value`` under ``key``; the message says what there is instead."""

    def __init__(self, key: str, value: Value, message: str) -> None:
        super().__init__(message)
        self.key, self.value = key, value


def select(cells: pd.DataFrame, wanted: Mapping[str, Value]) -> pd.DataFrame:
    """Cells that have every value.  Raises NoColumn, or NoCells at the first key that leaves none."""
    kept = cells
    for key, value in wanted.items():
        if key not in cells:
            raise NoColumn(key, f"there is no column {key}, only {', '.join(cells.columns)}")
        same = equal(kept[key], value)
        if not same.any():
            raise NoCells(key, value, _instead(cells[key], kept[key], value))
        kept = kept[same]
    return kept


def equal(column: pd.Series, value: Value) -> pd.Series:
    """Where a column has a value; names that look like numbers may be given as such."""
    if pd.api.types.is_numeric_dtype(column):
        return column == value
    same = column == str(value)
    # Cells whose values are no text, as True and False beside empty ones, are turned into it only where that can help.
    return same if same.any() else column.notna() & (column.astype(str) == str(value))


def listed(column: pd.Series) -> str:
    """The values of a column, as a claim would name them; of many the first ones."""
    values = column.dropna().drop_duplicates()
    ordered = values.sort_values() if pd.api.types.is_numeric_dtype(values) else values
    more = f" and {len(ordered) - LISTED} more" if len(ordered) > LISTED else ""
    return (", ".join(_written(ordered.head(LISTED))) or "nothing") + more


def _instead(everywhere: pd.Series, kept: pd.Series, value: Value) -> str:
    if equal(everywhere, value).any():
        return f"the cells that fit the keys before it have {listed(kept)}"
    return f"the cells have {listed(everywhere)}"


def _written(values: Iterable[Any]) -> list[str]:
    return [f"{value:.10g}" if isinstance(value, float) else str(value) for value in values]
