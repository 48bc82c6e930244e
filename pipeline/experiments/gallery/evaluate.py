"""Measure every item: a cell a series (`setting`), place (`level`) and seed, with what theory says there."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.core.parallel import Pool
from pipeline.experiments.gallery.items import ITEMS, units
from pipeline.experiments.gallery.settings import Settings
from pipeline.summary.metrics import ends, nested
from pipeline.theory import intervals

KEYS = ("setting", "level")
TOLERANCE = (1e-8, 1e-5, "linear algebra of float64")


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of all items; metrics are what was measured, mean and interval over seeds."""
    verbs = ("data", "weak", "strong")
    rows = [
        {"panel": name, "dataset": name, "seed": seed, "task": 0, "inputs": "fresh", **found}
        for unit, (name, seed, sizes) in units(settings.data).items()
        for found in ITEMS[name].measure(*(upstream[verb][unit] for verb in verbs), sizes)
    ]
    cells = pd.DataFrame(rows).assign(weak="teacher", strong="student", head="theory", split="")

    def summary(members: list[pd.DataFrame]) -> dict[str, Any]:
        values = [float(member["measured"].mean()) for member in members]
        return {"measured": ends(intervals.over_units(values, settings.evaluate.confidence))}

    return {"cells": cells, "metrics": nested(cells, "seed", ("panel", "setting", "level"), summary)}
