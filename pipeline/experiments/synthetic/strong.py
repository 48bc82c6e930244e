"""Fit students on weak labels, and ceilings on true labels of the same inputs, over the strong representation.

One item per seed: `<panel>.<head>.<inputs>.{student,ceiling}` -> heads (tasks, width + 1).
"""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.synthetic.common import fitting
from pipeline.experiments.synthetic.common.panels import PANELS, SAMPLES, Panel, truth, unit, unpack
from pipeline.experiments.synthetic.settings import Settings, Strong


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students and ceilings of every seed."""
    bundles = (upstream["data"], upstream["represent"], upstream["labels"])
    return fit_all(settings.data.seeds, PANELS, settings.labels.inputs, bundles, settings.strong, pool)


def fit_all(
    seeds: Iterable[int],
    panels: Mapping[str, Panel],
    inputs: Iterable[str],
    bundles: tuple[Any, ...],
    settings: Strong,
    pool: Pool,
) -> Mapping[str, Arrays]:
    """Students and ceilings of every seed, panel and choice of inputs."""
    keys = list(product(seeds, panels, inputs))
    fitted = pool.map(fit, {_name(*key): (*key, panels[key[1]], *bundles, settings) for key in keys})
    items: dict[str, Arrays] = {}
    for key in keys:
        items.setdefault(unit(key[0]), {}).update(fitted[_name(*key)])
    return items


def fit(
    seed: int,
    name: str,
    inputs: str,
    panel: Panel,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
    settings: Strong,
) -> Arrays:
    """Students and ceilings of one seed, panel and choice of inputs."""
    samples = data[unit(seed)]
    networks = {**represent[unit(seed)], **samples}
    represented = fitting.features(unpack(panel.strong, networks), samples[SAMPLES[inputs]])
    targets = {"student": labels[unit(seed)][f"{panel.weak}.{inputs}"], "ceiling": truth(samples, inputs)}
    return {
        f"{name}.{head}.{inputs}.{role}": _fit_head(
            head, f"{role}-{name}-{inputs}", seed, represented, target, settings
        )
        for head in settings.heads
        for role, target in targets.items()
    }


def _fit_head(
    head: str, name: str, seed: int, represented: np.ndarray, target: np.ndarray, settings: Strong
) -> np.ndarray:
    if head == "adamw":
        return fitting.fit_adamw(name, seed, represented, target, settings.adamw)
    return fitting.fit_exact(represented, target, settings.exact)


def _name(seed: int, panel: str, inputs: str) -> str:
    return f"{unit(seed)}-{panel}-{inputs}"
