"""Cells of the grid: those of panel b, with the columns `schedule` and `epochs` of the strong pretraining."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.cells import COLUMNS
from pipeline.core.parallel import Pool
from pipeline.experiments.realizability.common.settings import Settings
from pipeline.experiments.synthetic.evaluate import measure_all
from pipeline.summary.metrics import by_unit


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every seed, and their summary."""
    bundles = tuple(upstream[name] for name in ("data", "represent", "weak", "strong"))
    cells = measure_all(
        settings.data, settings.represent.panels(), settings.strong.heads, settings.labels.inputs, bundles, pool
    )
    cells = _labelled(cells)
    return {"cells": cells, "metrics": by_unit(cells, "seed", ("schedule", "epochs"), settings.evaluate.confidence)}


def _labelled(cells: pd.DataFrame) -> pd.DataFrame:
    schedule, epochs = zip(*cells["panel"].str.split("-"), strict=True)
    cells = cells.assign(
        experiment="realizability", panel="pretrained", schedule=schedule, epochs=[int(text) for text in epochs]
    )
    return cells[[*COLUMNS, "schedule", "epochs"]]
