"""Cells of the molecules experiment, under the name of the study."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.parallel import Pool
from pipeline.experiments.molecules import evaluate
from pipeline.experiments.molecules_study.common.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every data set, split and seed, and their summary."""
    measured = evaluate.run(settings, upstream, pool)
    return {"cells": measured["cells"].assign(experiment="molecules_study"), "metrics": measured["metrics"]}
