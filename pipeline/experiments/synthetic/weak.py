"""Fit the teachers: heads on the frozen weak representation and true labels, always by the authors' AdamW protocol.

One item per seed: `<weak representation>` -> heads (tasks, width + 1).  A teacher may be any function for the
theorems to apply, so one way of fitting serves every student.  `controls-<seed>`: control teachers, as
common/controls.py stores them.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.core.artifacts import Arrays
from pipeline.core.config import AdamW
from pipeline.core.parallel import Pool
from pipeline.experiments.synthetic.common import controls, fitting
from pipeline.experiments.synthetic.common.panels import PANELS, control_unit, truth, unit, unpack
from pipeline.experiments.synthetic.settings import Settings, Weak


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers of every seed."""
    seeds, names = settings.data.every_seed(), sorted({panel.weak for panel in PANELS.values()})
    bundles = (upstream["data"], upstream["represent"])
    units = {f"{unit(seed)}-{name}": (seed, name, *bundles, settings.weak) for seed in seeds for name in names}
    fitted = pool.map(fit_teachers, units)
    real = {unit(seed): {name: fitted[f"{unit(seed)}-{name}"]["heads"] for name in names} for seed in seeds}
    if not settings.weak.control_tasks:
        return real
    control = {control_unit(seed): (seed, *bundles, real[unit(seed)], settings.weak) for seed in settings.data.seeds}
    return {**real, **pool.map(fit_controls, control)}


def fit_controls(
    seed: int, data: Mapping[str, Arrays], represent: Mapping[str, Arrays], real: Arrays, settings: Weak
) -> Arrays:
    """Control teachers of one seed."""
    return controls.teachers(seed, data[unit(seed)], represent[unit(seed)], real, settings.control_tasks, settings)


def fit_teachers(
    seed: int, name: str, data: Mapping[str, Arrays], represent: Mapping[str, Arrays], settings: AdamW
) -> Arrays:
    """Teachers of one seed on one weak representation, a task each."""
    samples = data[unit(seed)]
    represented = fitting.features(unpack(name, represent[unit(seed)]), samples["inputs"])
    return {"heads": fitting.fit_adamw(f"teacher-{name}", seed, represented, truth(samples, "reused"), settings)}
