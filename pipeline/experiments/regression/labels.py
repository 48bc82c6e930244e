"""The teachers' predictions for the student's rows, and nothing else.  Items: `<seed>` -> `<teacher>` (rows,)."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.regression.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Weak labels of every seed."""
    return {
        str(seed): {
            name: predicted[upstream["data"][str(seed)]["weak"]]
            for name, predicted in upstream["weak"][str(seed)].items()
        }
        for seed in settings.data.seeds
    }
