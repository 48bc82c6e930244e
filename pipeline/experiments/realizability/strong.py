"""Students and ceilings over every strong pretraining of the grid."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.realizability.common.settings import Settings
from pipeline.experiments.synthetic.strong import fit_all


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students and ceilings of every seed."""
    bundles = (upstream["data"], upstream["represent"], upstream["labels"])
    return fit_all(
        settings.data.seeds, settings.represent.panels(), settings.labels.inputs, bundles, settings.strong, pool
    )
