"""Cells of the language-model experiment, under the name of the study."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.parallel import Pool
from pipeline.experiments.preferences import evaluate
from pipeline.experiments.preferences_gpu.common.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every data set and seed, and their summary."""
    measured = evaluate.run(settings, upstream, pool)
    return {"cells": measured["cells"].assign(experiment="preferences_gpu"), "metrics": measured["metrics"]}
