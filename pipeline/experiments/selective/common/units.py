"""What is trained and measured together: a split of a text set, or a draw of clusters."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.experiments.selective.settings import Data, Settings

Array = np.ndarray
CLUSTERS = "clusters"  # the teacher of synthetic cases


class Unit(NamedTuple):
    """A data set and its split or seed; ``drawn``: synthetic, so that all rows are new with every seed."""

    dataset: str
    draw: int
    drawn: bool

    @property
    def name(self) -> str:
        """Name of its item."""
        return f"{self.dataset}.{self.draw}"

    @property
    def rows(self) -> str:
        """Name of the item that holds its rows: all splits of a text set share them."""
        return self.name if self.drawn else self.dataset


def units(data: Data) -> dict[str, Unit]:
    """All of them by name."""
    texts = [Unit(name, split, False) for name in data.datasets for split in data.splits]
    drawn = [Unit(name, seed, True) for name in data.cases for seed in data.seeds]
    return {unit.name: unit for unit in (*texts, *drawn)}


def others(unit: Unit, data: Data) -> list[Unit]:
    """Where else P(IK) is trained: the same split of each other text set; of clusters, one other draw of the case."""
    if unit.drawn:
        place = data.seeds.index(unit.draw)
        return [unit._replace(draw=data.seeds[place - 1])] if len(data.seeds) > 1 else []
    return [unit._replace(dataset=name) for name in data.datasets if name != unit.dataset]


def teachers(unit: Unit, settings: Settings) -> list[str]:
    """Names of its teachers."""
    return [CLUSTERS] if unit.drawn else list(settings.weak.teachers)


def truth(unit: Unit, data: Mapping[str, Any]) -> Array:
    """True labels of all its rows, (n,) bool."""
    return np.asarray(data[unit.rows]["label"]) > 0.5


def design(unit: Unit, data: Mapping[str, Any], represent: Mapping[str, Arrays]) -> Array:
    """Strong features of all rows, centred and scaled by the student's rows without a label, and ones: (n, d + 1)."""
    features = represent[unit.rows]["features"]
    own = features[data[unit.name]["weak"]]
    scale = own.std(axis=0)
    scaled = ((features - own.mean(axis=0)) / np.where(scale > 0, scale, 1)).astype(np.float32)
    return np.concatenate([scaled, np.ones((len(scaled), 1), np.float32)], axis=1)


def log_odds(unit: Unit, data: Mapping[str, Any], represent: Mapping[str, Arrays], prompts: tuple[str, ...]) -> Array:
    """Log-odds of the strong model's answer 1, (n,): above 0 it says 1.

    Of texts the mean over prompts, each less its median over the student's rows and over its deviation there: half of
    those answers are 1, and no label is used (our rule).
    """
    views = represent[unit.rows]
    if unit.drawn:
        return views["own"]
    rows, found = data[unit.name]["weak"], []
    for prompt in prompts:
        if prompt in views:
            own = views[prompt][rows]
            found.append((views[prompt] - np.median(own)) / (own.std() or 1))
    return np.mean(found, axis=0)
