"""Cells of the molecules experiment, under the name of the study; the summary keeps frozen and finetuned apart."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.parallel import Pool
from pipeline.experiments.molecules import evaluate
from pipeline.experiments.molecules.common.teachers import FULL
from pipeline.experiments.molecules_gpu.common.settings import Settings
from pipeline.summary.metrics import by_unit


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every data set, split and seed, and their summary."""
    cells = evaluate.run(settings, upstream, pool)["cells"].assign(experiment="molecules_gpu")
    full = cells[cells["regime"] == FULL]
    names = ("dataset", "training", "head", "inputs")
    return {"cells": cells, "metrics": by_unit(full, "split", names, settings.evaluate.confidence)}
