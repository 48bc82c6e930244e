"""Text sets of the language-model experiment, all rows; only where a device is named."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.parallel import Pool
from pipeline.experiments.preferences import data
from pipeline.experiments.preferences_gpu.common.settings import Settings
from pipeline.scale import machine


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Tables of every text set, and their report.  Raises InputError unless W2S_DEVICE says what the study runs on."""
    machine.stated("preferences_gpu")
    return data.run(settings, upstream, pool)
