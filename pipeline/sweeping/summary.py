"""Mean and interval over seeds at every point of a sweep, one shard in memory at a time."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core import artifacts
from pipeline.summary.metrics import SHOWN
from pipeline.summary.statistics import STATISTICS
from pipeline.sweeping.grid import Shard
from pipeline.theory import intervals

Statistics = dict[str, list[float]]


def table(shards: list[Shard], folder: Path, by: tuple[str, ...], confidence: float) -> pd.DataFrame:
    """A line for each point and each value of the columns ``by``: number of seeds and cells, statistics, intervals.

    Memory holds the cells of one shard and, of one point, six numbers a seed.
    """
    lines = []
    for _, members in groupby(shards, key=lambda shard: str(shard.point)):
        own = list(members)
        lines += list(_lines(own[0].point, (folder / f"{shard.name}.parquet" for shard in own), by, confidence))
    return pd.DataFrame(lines)


def _lines(
    point: Mapping[str, Any], files: Iterator[Path], by: tuple[str, ...], confidence: float
) -> Iterator[dict[str, Any]]:
    seen: dict[tuple[Any, ...], Statistics] = {}
    for path in files:
        for (*kind, _), cells in artifacts.read_item(path).groupby([*by, "seed"], sort=False):
            statistics = seen.setdefault(tuple(kind), {name: [] for name in ("cells", *SHOWN)})
            statistics["cells"].append(len(cells))
            for name in SHOWN:
                statistics[name].append(STATISTICS[name](cells))
    for kind, statistics in seen.items():
        yield {**point, **dict(zip(by, kind, strict=True)), **_numbers(statistics, confidence)}


def _numbers(statistics: Statistics, confidence: float) -> dict[str, float]:
    cells = statistics["cells"]
    numbers: dict[str, float] = {"seeds": len(cells), "cells": sum(cells)}
    for name in SHOWN:
        over = intervals.correlation_over_units if name == "correlation" else intervals.over_units
        estimate = over(statistics[name], confidence)
        numbers |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return numbers
