"""Fit students on weak labels, and ceilings on true labels of the same inputs, over the strong representation.

One item per seed: `<panel>.<head>.<inputs>.{student,ceiling}` -> heads (tasks, width + 1).  `controls-<seed>`: exact
heads, `<panel>.<control>` of the students of control teachers, `<panel>.teachers_labels`, and their `<panel>.ceiling`.
"""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.synthetic.common import controls, fitting
from pipeline.experiments.synthetic.common.panels import (
    PANELS,
    SAMPLES,
    Panel,
    control_unit,
    truth,
    unit,
    unpack,
    with_controls,
)
from pipeline.experiments.synthetic.settings import Exact, Settings, Strong


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students and ceilings of every seed."""
    bundles, inputs = (upstream["data"], upstream["represent"], upstream["labels"]), settings.labels.inputs
    items = fit_all(settings.data.seeds, PANELS, inputs, bundles, settings.strong, pool)
    first = settings.strong.model_copy(update={"heads": settings.strong.heads[:1]})
    further = fit_all(settings.data.further_seeds, PANELS, inputs[:1], bundles, first, pool)
    control = {
        control_unit(seed): (seed, *bundles, settings.strong.exact)
        for seed in with_controls(settings.data.seeds, upstream["labels"])
    }
    return {**items, **further, **pool.map(fit_controls, control)}


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


def fit_controls(
    seed: int,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
    settings: Exact,
) -> Arrays:
    """Students of control teachers, and the strong model on the teacher's own labels, of one seed: exact heads."""
    samples, told = data[unit(seed)], labels[control_unit(seed)]
    networks, fitted = {**represent[unit(seed)], **samples}, {}
    for name, panel in PANELS.items():
        targets = {key: target for key, target in told.items() if key.startswith(f"{name}.")}
        tasks = len(next(iter(targets.values())))
        fresh, own = (
            fitting.features(unpack(panel.strong, networks), samples[SAMPLES[source]][:tasks])
            for source in ("fresh", "reused")
        )
        targets[f"{name}.ceiling"] = truth(samples, "fresh")[:tasks]
        fitted |= {key: fitting.fit_exact(fresh, target, settings) for key, target in targets.items()}
        fitted[f"{name}.{controls.NO_TEACHER}"] = fitting.fit_exact(own, truth(samples, "reused")[:tasks], settings)
    return fitted


def _fit_head(
    head: str, name: str, seed: int, represented: np.ndarray, target: np.ndarray, settings: Strong
) -> np.ndarray:
    if head == "adamw":
        return fitting.fit_adamw(name, seed, represented, target, settings.adamw)
    return fitting.fit_exact(represented, target, settings.exact)


def _name(seed: int, panel: str, inputs: str) -> str:
    return f"{unit(seed)}-{panel}-{inputs}"
