"""What a head sees and what it should say: rows of each half by seed, scaled features, labels."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.core import streams
from pipeline.core.artifacts import Arrays

Array = np.ndarray


class Halves(NamedTuple):
    """Rows of both training halves within truth + weak, joined in that order."""

    truth: Array
    weak: Array


def unit(dataset: str, seed: int) -> str:
    """Name of the item that holds one set and seed."""
    return f"{dataset}.{seed}"


def halves(table: pd.DataFrame, dataset: str, seed: int, way: str, first: int) -> Halves:
    """The published halves, or the same number of rows drawn anew from both by every seed but the first."""
    sizes = [int((table["part"] == part).sum()) for part in ("truth", "weak")]
    rows = np.arange(sum(sizes))
    if way == "redrawn" and seed != first:
        rows = streams.generator(seed, f"preferences/{dataset}/halves").permutation(sum(sizes))
    return Halves(rows[: sizes[0]], rows[sizes[0] :])


def labels(table: pd.DataFrame) -> tuple[Array, Array]:
    """True labels of truth + weak, and of the test part: 1 where slot A holds the preferred text, or as given."""
    values = 1.0 - table["swapped"] if "swapped" in table else table["label"]
    test = table["part"] == "test"
    return values[~test].to_numpy(dtype=np.float32), values[test].to_numpy(dtype=np.float32)


def design(views: Mapping[str, Array], pairs: bool) -> tuple[Array, Array]:
    """Scaled features of truth + weak and of the test part; the scale is that of truth + weak, which needs no label.

    Pairs: no centre and no intercept, so that swapping the slots swaps the sign.  Texts: centred, and a column of ones.
    """
    train, test = np.concatenate([views["truth"], views["weak"]]), views["test"]
    centre = 0 if pairs else train.mean(axis=0)
    scale = np.sqrt(np.mean(np.square(train - centre), axis=0))
    scale = np.where(scale > 0, scale, 1)
    both = [((rows - centre) / scale).astype(np.float32) for rows in (train, test)]
    if pairs:
        return both[0], both[1]
    return tuple(np.concatenate([rows, np.ones((len(rows), 1), np.float32)], axis=1) for rows in both)


def projected(views: Arrays, dimensions: int, seed: int, name: str) -> Arrays:
    """Cut to random directions, the same for every part; 0 keeps all."""
    if not dimensions:
        return views
    width = views["truth"].shape[1]
    directions = streams.generator(seed, f"preferences/{name}/directions").normal(0, width**-0.5, (width, dimensions))
    return {part: rows @ directions.astype(np.float32) for part, rows in views.items()}


def order(seed: int, name: str, epochs: int, rows: int) -> Array:
    """Order in which the epochs visit the rows."""
    return streams.orders(streams.generator(seed, f"preferences/{name}/order"), epochs, rows)


def is_pairs(table: Any) -> bool:
    """Whether a set holds pairs."""
    return "swapped" in table


def first_test_rows(table: pd.DataFrame, count: int) -> Array:
    """Mask of the first test rows."""
    test = (table["part"] == "test").to_numpy()
    return test & (np.cumsum(test) <= count)
