"""Measure teacher, student and ceiling on inputs that nobody has seen: a cell per student, direction and epoch."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.cells import without_controls
from pipeline.core.parallel import Pool
from pipeline.experiments.kl.common import controls, students
from pipeline.experiments.kl.common.curves import CURVE_PANEL, curve_name, grid
from pipeline.experiments.kl.common.setting import Setting
from pipeline.experiments.kl.common.students import STUDENTS
from pipeline.experiments.kl.settings import Evaluate, Settings
from pipeline.experiments.synthetic.common.panels import PANELS, control_unit, unit
from pipeline.measures import classification as measures
from pipeline.summary.classification import by_unit
from pipeline.summary.yao_students import own_direction
from pipeline.theory import classification_bounds as bounds

KEYS = ("loss", "class", "direction", "epoch", "lr", "noise", "sharpening")
BOUNDARY = "boundary"  # panel of the tasks whose truth is a vertex of the convex class; the class holds it
TOLERANCE = (1e-8, 1e-3, "the heads of digits, trained longer on networks' features; not measured")
OWN_DIRECTION = {"cross_entropy": "forward", "reverse_kl": "reverse"}
# Of a solved student: its own direction, and the reverse one of cross-entropy, of which B's theorem speaks.
DIRECTIONS = {"cross_entropy": ("forward", "reverse"), "reverse_kl": ("reverse",)}
# What the row of the second direction repeats of the first.
IN_EITHER = ("weak_error", "student_error", "ceiling_error", "epsilon", "truth_variance")
HALF = 2  # the first half of the evaluation sample fits temperatures, the second measures what they leave


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every seed, and their summary."""
    bundles = tuple(upstream[name] for name in ("data", "represent", "weak", "strong"))
    seeds = settings.data.every_seed()
    measured = pool.map(measure, {unit(seed): (seed, settings, *bundles) for seed in seeds})
    tables = [_table(seed, measured[unit(seed)], settings) for seed in seeds]
    cells = measures.ordered(pd.concat(tables, ignore_index=True), measures.raised(settings.evaluate.floors))
    real = without_controls(cells)
    solved = own_direction(real[real["epoch"].isna()])
    groups = ("panel", "class", "loss", "direction", "inputs")
    return {"cells": cells, "metrics": by_unit(solved, "seed", groups, settings.evaluate.confidence)}


def measure(
    seed: int,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
    strong: Mapping[str, Arrays],
) -> Arrays:
    """Measures of one seed: `<key>/<column>` -> (tasks,); see `_solved` and `_curves` for the keys."""
    samples, teachers, fitted = data[unit(seed)], weak[unit(seed)], strong[unit(seed)]
    networks = {**represent[unit(seed)], **samples}
    found: Arrays = {}
    for key, columns in (
        *_solved(settings, samples, networks, teachers, fitted),
        *(_curves(settings, samples, networks, teachers, fitted) if seed in settings.data.seeds else ()),
        *(_controls(seed, settings, samples, networks, weak, strong) if control_unit(seed) in weak else ()),
    ):
        found |= {f"{key}/{name}": np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    return found


def _solved(
    settings: Settings, samples: Arrays, networks: Arrays, teachers: Arrays, fitted: Arrays
) -> Iterator[tuple[str, Arrays]]:
    """`solved/<panel>/<class>.<loss>/<inputs>/<direction>` of every solved student, in the directions of its loss."""
    for panel, family in product(PANELS, students.FAMILIES):
        setting = Setting(panel, family, settings, samples, networks, teachers)
        epsilon = setting.class_minimum(settings.strong.exact)
        kinds = [kind for kind, student in STUDENTS.items() if student.family == family]
        for kind, inputs in product(kinds, settings.labels.inputs):
            place = f"{panel}.{kind}.{inputs}"
            student, ceiling = (setting.predict(fitted[f"{place}.{role}"]) for role in ("student", "ceiling"))
            common = _common(setting, student, ceiling, settings.evaluate, slice(None))
            common |= measures.tightness_at(settings.evaluate.floors, setting.truth, setting.teacher, student)
            common |= {"epsilon": epsilon, "certificate": fitted[f"{place}.student.certificate"]}
            for direction in DIRECTIONS[STUDENTS[kind].loss]:
                directed = measures.directed(direction, setting.truth, setting.teacher, student)
                if family == "mixture":
                    directed["gain_bound"] = bounds.kl_gain_lower_bound(
                        directed["misfit"], epsilon, settings.data.floor, settings.data.classes
                    )
                shown = common if direction == OWN_DIRECTION[STUDENTS[kind].loss] else {n: common[n] for n in IN_EITHER}
                yield f"solved/{panel}/{kind}/{inputs}/{direction}", {**shown, **directed}


def _curves(
    settings: Settings, samples: Arrays, networks: Arrays, teachers: Arrays, fitted: Arrays
) -> Iterator[tuple[str, Arrays]]:
    """`curve/<loss>/<lr>/<noise>/<sharpening>/<epoch>` of every student trained by AdamW."""
    curves, inputs = settings.strong.curves, settings.labels.inputs[0]
    setting, tasks = Setting(CURVE_PANEL, "softmax", settings, samples, networks, teachers), slice(curves.tasks)
    ceiling = {
        loss: setting.predict(fitted[f"{CURVE_PANEL}.softmax.{loss}.{inputs}.ceiling"][tasks], tasks)
        for loss in OWN_DIRECTION
    }
    for loss, *cell in grid(curves):
        name = curve_name(loss, *cell)
        for place, epoch in enumerate(curves.epochs):
            student = setting.predict(fitted[name][place], tasks)
            found = _common(setting, student, ceiling[loss], settings.evaluate, tasks)
            found |= measures.directed(OWN_DIRECTION[loss], setting.truth[tasks], setting.teacher[tasks], student)
            found |= {f"weak_{part}": fitted[f"{name}.{part}"][place] for part in ("objective", "validation")}
            yield "/".join(["curve", loss, *(f"{value:g}" for value in cell), str(epoch)]), found


def _controls(
    seed: int,
    settings: Settings,
    samples: Arrays,
    networks: Arrays,
    weak: Mapping[str, Arrays],
    strong: Mapping[str, Arrays],
) -> Iterator[tuple[str, Arrays]]:
    """`control/<panel>/<class>.<loss>/<control>/<direction>` of students of control teachers, each in its direction."""
    stored, fitted, tasks = weak[control_unit(seed)], strong[control_unit(seed)], slice(settings.weak.control_tasks)
    part = {name: array[tasks] if "evaluation" in name else array for name, array in samples.items()}
    real = {name: heads[tasks] for name, heads in weak[unit(seed)].items()}
    for panel, (family, kind) in product(PANELS, controls.STUDENTS.items()):
        setting = Setting(panel, family, settings, part, networks, real)
        epsilon, direction = setting.class_minimum(settings.strong.exact), OWN_DIRECTION[STUDENTS[kind].loss]
        ceiling = setting.predict(fitted[f"{panel}.{family}.ceiling"])
        for control in (*controls.TEACHERS, controls.NO_TEACHER):
            place, teacher = f"{panel}.{family}.{control}", setting.teacher
            if control != controls.NO_TEACHER:
                inputs = part["evaluation_inputs"]
                teacher = controls.predict(place, stored, networks, inputs, setting.floor).astype(np.float64)
            student = setting.predict(fitted[place])
            floor, bins = setting.floor, settings.evaluate.bins
            found = measures.measure(setting.truth, teacher, student, ceiling, floor, bins) | {"epsilon": epsilon}
            found |= measures.directed(direction, setting.truth, teacher, student)
            yield f"control/{panel}/{kind}/{control}/{direction}", found


def _common(setting: Setting, student: np.ndarray, ceiling: np.ndarray, evaluate: Evaluate, tasks: slice) -> Arrays:
    truth, teacher = setting.truth[tasks], setting.teacher[tasks]
    found = measures.measure(truth, teacher, student, ceiling, setting.floor, evaluate.bins)
    half = truth.shape[-2] // HALF
    first, second = (
        {"weak": teacher[:, rows], "student": student[:, rows]} for rows in (slice(half), slice(half, None))
    )
    return found | measures.scaled(truth[:, half:], second, truth[:, :half], first, evaluate.bins)


def _table(seed: int, measured: Arrays, settings: Settings) -> pd.DataFrame:
    """Cells of one seed: a row a task of solved students; of curves and controls a row holds the mean over tasks."""
    columns: dict[str, Arrays] = {}
    for name, values in measured.items():
        key, column = name.rsplit("/", 1)
        columns.setdefault(key, {})[column] = values
    tables = [_labelled(key, pd.DataFrame(values), settings) for key, values in sorted(columns.items())]
    return pd.concat(tables, ignore_index=True).assign(seed=seed, n_eval=settings.data.evaluation_samples)


def _labelled(key: str, cells: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    sort, *parts = key.split("/")
    control: str | float = np.nan
    solved = sort == "solved"
    cells = cells if solved else cells.mean().to_frame().T
    if sort != "curve":
        panel, kind, inputs, direction = parts
        if sort == "control":
            inputs, control = "fresh", inputs
        family, loss = kind.split(".")
        extra = {"epoch": np.nan, "lr": np.nan, "noise": 0.0, "sharpening": 1.0, "n_train": settings.data.samples}
    else:
        loss, rate, noise, power, epoch = parts
        panel, family, inputs, direction = CURVE_PANEL, "softmax", settings.labels.inputs[0], OWN_DIRECTION[loss]
        extra = {"epoch": int(epoch), "lr": float(rate), "noise": float(noise), "sharpening": float(power)}
        extra["n_train"] = settings.strong.curves.samples
    names = {"panel": panel, "class": family, "head": family, "loss": loss, "direction": direction, "inputs": inputs}
    names |= PANELS[panel]._asdict()
    cells = cells.assign(**names, control=control, **extra, task=range(len(cells)) if solved else np.nan)
    inside = len(cells) - settings.data.boundary_tasks
    if not solved or family != "mixture" or inside == len(cells):
        return cells
    if panel != "realizable":  # there no vertex is in the class
        return cells[:inside]
    return pd.concat([cells[:inside], cells[inside:].assign(panel=BOUNDARY)])
