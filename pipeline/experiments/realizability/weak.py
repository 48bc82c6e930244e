"""Teachers of the synthetic experiment on the pretrained weak representation."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.realizability.common.settings import Settings
from pipeline.experiments.synthetic.common.panels import unit
from pipeline.experiments.synthetic.weak import fit_teachers


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers of every seed: `weak_pretrained` -> heads (tasks, width + 1)."""
    fitted = pool.map(
        fit_teachers,
        {
            unit(seed): (seed, "weak_pretrained", upstream["data"], upstream["represent"], settings.weak)
            for seed in settings.data.seeds
        },
    )
    return {name: {"weak_pretrained": arrays["heads"]} for name, arrays in fitted.items()}
