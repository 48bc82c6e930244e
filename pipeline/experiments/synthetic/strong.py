"""Fit students on weak labels, and ceilings on the true labels of the same inputs, over the frozen strong representation.

One item per seed: `<panel>.<head>.<inputs>.{student,ceiling}` -> heads (tasks, width + 1).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.experiments.synthetic.common import fitting
from pipeline.experiments.synthetic.common.panels import PANELS, SAMPLES, truth, unit, unpack
from pipeline.experiments.synthetic.common.settings import Settings, Strong
from pipeline.core.parallel import Pool


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students and ceilings of every seed."""
    bundles = (upstream["data"], upstream["represent"], upstream["labels"])
    keys = [(seed, panel, inputs) for seed in settings.data.seeds for panel in PANELS for inputs in settings.labels.inputs]
    fitted = pool.map(fit, {_name(*key): (*key, *bundles, settings.strong) for key in keys})
    return {unit(seed): {f"{panel}.{head}.{inputs}.{role}": array
                         for owner, panel, inputs in keys if owner == seed
                         for (head, role), array in _split(fitted[_name(owner, panel, inputs)])}
            for seed in settings.data.seeds}


def fit(seed: int, panel: str, inputs: str, data: Mapping[str, Arrays], represent: Mapping[str, Arrays],
        labels: Mapping[str, Arrays], settings: Strong) -> Arrays:
    """Students and ceilings of one seed, panel and choice of inputs: `<head>.<role>` -> (tasks, width + 1)."""
    samples = data[unit(seed)]
    networks = {**represent[unit(seed)], **samples}
    represented = fitting.features(unpack(PANELS[panel].strong, networks), samples[SAMPLES[inputs]])
    targets = {"student": labels[unit(seed)][f"{PANELS[panel].weak}.{inputs}"], "ceiling": truth(samples, inputs)}
    return {f"{head}.{role}": _fit_head(head, f"{role}-{panel}-{inputs}", seed, represented, target, settings)
            for head in settings.heads for role, target in targets.items()}


def _fit_head(head: str, name: str, seed: int, represented: np.ndarray, target: np.ndarray, settings: Strong) -> np.ndarray:
    if head == "adamw":
        return fitting.fit_adamw(name, seed, represented, target, settings.adamw)
    return fitting.fit_exact(represented, target, settings.exact)


def _name(seed: int, panel: str, inputs: str) -> str:
    return f"{unit(seed)}-{panel}-{inputs}"


def _split(fitted: Arrays) -> list[tuple[tuple[str, str], np.ndarray]]:
    return [((name.split(".")[0], name.split(".")[1]), array) for name, array in fitted.items()]
