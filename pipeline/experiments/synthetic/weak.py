"""Fit the teachers: heads on the frozen weak representation and true labels, always by the authors' AdamW protocol.

One item per seed: `<weak representation>` -> heads (tasks, width + 1).  A teacher may be any function for the
theorems to apply, so one way of fitting serves every student.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.core.artifacts import Arrays
from pipeline.core.config import AdamW
from pipeline.core.parallel import Pool
from pipeline.experiments.synthetic.common import fitting
from pipeline.experiments.synthetic.common.panels import PANELS, truth, unit, unpack
from pipeline.experiments.synthetic.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers of every seed."""
    names = sorted({panel.weak for panel in PANELS.values()})
    units = {
        f"{unit(seed)}-{name}": (seed, name, upstream["data"], upstream["represent"], settings.weak)
        for seed in settings.data.seeds
        for name in names
    }
    fitted = pool.map(fit_teachers, units)
    return {
        unit(seed): {name: fitted[f"{unit(seed)}-{name}"]["heads"] for name in names} for seed in settings.data.seeds
    }


def fit_teachers(
    seed: int, name: str, data: Mapping[str, Arrays], represent: Mapping[str, Arrays], settings: AdamW
) -> Arrays:
    """Teachers of one seed on one weak representation, a task each."""
    samples = data[unit(seed)]
    represented = fitting.features(unpack(name, represent[unit(seed)]), samples["inputs"])
    return {"heads": fitting.fit_adamw(f"teacher-{name}", seed, represented, truth(samples, "reused"), settings)}
