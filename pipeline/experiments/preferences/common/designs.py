"""What a head sees and what it should say: rows of each part by seed, scaled features, labels."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.experiments.preferences.settings import Settings, Weak

Array = np.ndarray


class Parts(NamedTuple):
    """Rows of the table (truth, weak, test in that order) that serve as each part."""

    truth: Array
    weak: Array
    test: Array


class Unit(NamedTuple):
    """What is trained and measured together."""

    dataset: str
    seed: int
    distinct: bool = False  # no prompt twice in the three parts

    @property
    def name(self) -> str:
        """Name of its item."""
        return f"{self.dataset}.{self.seed}" + (".distinct" if self.distinct else "")


def units(settings: Settings, data: Mapping[str, Any]) -> dict[str, Unit]:
    """Every set and seed, by name; a set with repeated prompts once more without, where that is asked for."""
    found = [
        Unit(dataset, seed, distinct)
        for dataset in settings.data.datasets
        for distinct in (False, True)
        if not distinct or settings.weak.also_distinct_prompts and not data[dataset]["prompt"].is_unique
        for seed in settings.weak.seeds
    ]
    return {unit.name: unit for unit in found}


def parts(table: pd.DataFrame, unit: Unit, weak: Weak) -> Parts:
    """The published parts, or parts of the same sizes drawn anew from all rows by every seed but the first."""
    sizes = [int((table["part"] == part).sum()) for part in Parts._fields]
    rows = np.arange(sum(sizes))
    if weak.parts == "redrawn" and unit.seed != weak.seeds[0]:
        rows = streams.generator(unit.seed, f"preferences/{unit.dataset}/parts").permutation(len(rows))
    found = Parts(*np.split(rows, np.cumsum(sizes)[:2]))
    return _distinct(found, table["prompt"].to_numpy(), unit.dataset) if unit.distinct else found


def _distinct(parts: Parts, prompts: Array, dataset: str) -> Parts:
    """One row of each prompt, the test part served first and the truth part last."""
    served = np.concatenate([parts.test, parts.weak, parts.truth])
    first = set(served[np.unique(prompts[served], return_index=True)[1]].tolist())
    found = Parts(*(np.array([row for row in rows if row in first], dtype=np.int64) for rows in parts))
    for part, rows in found._asdict().items():
        if not len(rows):
            raise InputError(
                f"text set '{dataset}', {part}: every prompt occurs in another part as well; "
                "set weak.also_distinct_prompts in {where} to false"
            )
    return found


def in_order(views: Mapping[str, Array]) -> Parts:
    """Parts as the features stand, one after the other."""
    sizes = [len(views[part]) for part in Parts._fields]
    return Parts(*np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:2]))


def labels(table: pd.DataFrame) -> Array:
    """True labels of all rows: 1 where slot A holds the preferred text, or as given."""
    values = 1.0 - table["swapped"] if "swapped" in table else table["label"]
    return values.to_numpy(dtype=np.float32)


def design(views: Mapping[str, Array], pairs: bool, rows: Parts) -> Array:
    """Scaled features of all rows; the scale is that of the rows of truth and weak, and needs no label.

    Pairs: no centre and no intercept, so that swapping the slots swaps the sign.  Texts: centred, and a column of ones.
    """
    features = np.concatenate([views[part] for part in Parts._fields])
    train = features[np.concatenate([rows.truth, rows.weak])]
    centre = 0 if pairs else train.mean(axis=0)
    scale = np.sqrt(np.mean(np.square(train - centre), axis=0))
    scaled = ((features - centre) / np.where(scale > 0, scale, 1)).astype(np.float32)
    return scaled if pairs else np.concatenate([scaled, np.ones((len(scaled), 1), np.float32)], axis=1)


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
