"""Measure teacher, student and ceiling on inputs that nobody has seen, all on the same sample: one cell per student."""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.synthetic.common import controls, fitting
from pipeline.experiments.synthetic.common.panels import (
    PANELS,
    Panel,
    control_unit,
    truth,
    unit,
    unpack,
    with_controls,
)
from pipeline.experiments.synthetic.settings import Data, Settings
from pipeline.measures import squared
from pipeline.summary.metrics import by_unit
from pipeline.theory import misfit

TOLERANCE = (1e-8, 1e-6, "own kernels in plain IEEE arithmetic; measured 9e-12")


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every seed, and their summary."""
    bundles = tuple(upstream[name] for name in ("data", "represent", "weak", "strong"))
    data, heads, inputs = settings.data, settings.strong.heads, settings.labels.inputs
    tables = [measure_all(data, data.seeds, PANELS, heads, inputs, bundles, pool)]
    if data.further_seeds:
        tables.append(measure_all(data, data.further_seeds, PANELS, heads[:1], inputs[:1], bundles, pool))
    metrics = by_unit(pd.concat(tables), "seed", ("panel", "head", "inputs"), settings.evaluate.confidence)
    if seeds := with_controls(data.seeds, upstream["weak"]):
        tables.append(measure_controls(seeds, data, bundles, pool))
    return {"cells": pd.concat(tables, ignore_index=True), "metrics": metrics}


def measure_all(
    data: Data,
    seeds: Iterable[int],
    panels: Mapping[str, Panel],
    heads: Iterable[str],
    inputs: Iterable[str],
    bundles: tuple[Any, ...],
    pool: Pool,
) -> pd.DataFrame:
    """Cells of every seed, panel, head and choice of inputs."""
    kinds = list(product(heads, inputs))
    measured = pool.map(measure, {unit(seed): (seed, panels, kinds, *bundles) for seed in seeds})
    names = [f"{panel}.{head}.{source}" for panel, (head, source) in product(panels, kinds)]
    tables = [_table(seed, name, measured[unit(seed)][name], panels, data) for seed in seeds for name in names]
    return pd.concat(tables, ignore_index=True)


def measure(
    seed: int,
    panels: Mapping[str, Panel],
    kinds: list[tuple[str, str]],
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
    strong: Mapping[str, Arrays],
) -> Arrays:
    """Measures of one seed: `<panel>.<head>.<inputs>` -> (measures, tasks)."""
    samples = data[unit(seed)]
    networks = {**represent[unit(seed)], **samples}
    target = truth(samples, "evaluation").astype(np.float64)
    teachers, students = weak[unit(seed)], strong[unit(seed)]
    measured = {}
    for name, panel in panels.items():
        teacher, represented, epsilon = _setting(panel, networks, teachers, samples, target)
        for head, inputs in kinds:
            fitted = [students[f"{name}.{head}.{inputs}.{role}"] for role in ("student", "ceiling")]
            student, ceiling = (fitting.predict(represented, heads) for heads in fitted)
            measured[f"{name}.{head}.{inputs}"] = np.stack(
                list(squared.measure(target, teacher, student, ceiling, epsilon).values())
            )
    return measured


def measure_controls(seeds: Iterable[int], data: Data, bundles: tuple[Any, ...], pool: Pool) -> pd.DataFrame:
    """Cells of the control teachers of some seeds, and of the strong model without a teacher."""
    measured = pool.map(measure_control, {control_unit(seed): (seed, *bundles) for seed in seeds})
    tables = []
    for seed in seeds:
        for name, control in product(PANELS, (*controls.TEACHERS, controls.NO_TEACHER)):
            values = measured[control_unit(seed)][f"{name}.{control}"]
            tables.append(_table(seed, f"{name}.exact.fresh", values, PANELS, data).assign(control=control))
    return pd.concat(tables, ignore_index=True)


def measure_control(
    seed: int,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
    strong: Mapping[str, Arrays],
) -> Arrays:
    """Measures of one seed: `<panel>.<control>` -> (measures, tasks)."""
    samples, stored, fitted = data[unit(seed)], weak[control_unit(seed)], strong[control_unit(seed)]
    networks, measured = {**represent[unit(seed)], **samples}, {}
    for name, panel in PANELS.items():
        tasks = len(fitted[f"{name}.ceiling"])
        target = truth(samples, "evaluation")[:tasks].astype(np.float64)
        part = {**samples, "evaluation_inputs": samples["evaluation_inputs"][:tasks]}
        real = {panel.weak: weak[unit(seed)][panel.weak][:tasks]}
        teacher, represented, epsilon = _setting(panel, networks, real, part, target)
        ceiling = fitting.predict(represented, fitted[f"{name}.ceiling"])
        for control in (*controls.TEACHERS, controls.NO_TEACHER):
            told = teacher
            if control != controls.NO_TEACHER:
                told = controls.predict(name, control, stored, networks, part["evaluation_inputs"])
            student = fitting.predict(represented, fitted[f"{name}.{control}"])
            values = squared.measure(target, told, student, ceiling, epsilon)
            measured[f"{name}.{control}"] = np.stack(list(values.values()))
    return measured


def class_minimum(represented: np.ndarray, target: np.ndarray) -> np.ndarray:
    """epsilon: error of the best linear head with bias on each task's evaluation sample itself, shape (tasks,)."""
    ones = np.ones((*represented.shape[:-1], 1))
    design = np.concatenate([represented.astype(np.float64), ones], axis=-1)
    best = [x @ np.linalg.lstsq(x, y, rcond=None)[0] for x, y in zip(design, target, strict=True)]
    return misfit.error(target, np.stack(best))


def _setting(
    panel: Panel, networks: Arrays, teachers: Arrays, samples: Arrays, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    inputs = samples["evaluation_inputs"]
    teacher = fitting.predict(fitting.features(unpack(panel.weak, networks), inputs), teachers[panel.weak])
    represented = fitting.features(unpack(panel.strong, networks), inputs)
    return teacher, represented, class_minimum(represented, target)


def _table(seed: int, name: str, values: np.ndarray, panels: Mapping[str, Panel], data: Data) -> pd.DataFrame:
    panel, head, inputs = name.split(".")
    cells = pd.DataFrame(dict(zip(squared.COLUMNS, values, strict=True)))
    return cells.assign(
        panel=panel,
        weak=panels[panel].weak,
        strong=panels[panel].strong,
        head=head,
        inputs=inputs,
        task=range(len(cells)),
        seed=seed,
        n_train=data.samples,
        n_eval=data.evaluation_samples,
    )
