"""Measure teacher, student and ceiling on the test rows, and on the student's own: a cell per student.

Columns `train_...` are the same measures on the rows that the student was fitted on.  There it is the exact projection
of its teacher on a convex class, so that the bound is a theorem; what differs on the test is error of estimation.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common import fitting
from pipeline.experiments.regression.settings import Settings
from pipeline.experiments.regression.strong import CEILING, LABELS
from pipeline.measures import squared
from pipeline.summary.estimates import over_units
from pipeline.summary.metrics import ends, nested
from pipeline.summary.statistics import STATISTICS

Array = np.ndarray
TRAIN = ("weak_error", "student_error", "gain", "misfit", "cross_term", "epsilon", "bound")
SHOWN = ("mean_gain", "mean_misfit", "gain_over_misfit", "student_error_over_variance")
# Each seed divides the same rows anew: a third is the test.
OVERLAP = {"seed": 0.5}
ESTIMATES = ("language models read in bfloat16",)


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every seed, and their summary."""
    bundles = tuple(upstream[name] for name in ("data", "represent", "weak", "strong"))
    tables = [pd.DataFrame(cells(str(seed), settings, *bundles)) for seed in settings.data.seeds]
    table = pd.concat(tables, ignore_index=True)
    confidence, real = settings.evaluate.confidence, table[table["control"].isna()]

    def summary(members: list[pd.DataFrame]) -> dict[str, Any]:
        values = {name: [STATISTICS[name](member) for member in members] for name in SHOWN}
        return {name: ends(over_units(name, own, confidence, OVERLAP["seed"])) for name, own in values.items()}

    return {"cells": table, "metrics": nested(real, "seed", ("weak", "strong"), summary)}


def cells(
    seed: str,
    settings: Settings,
    data: Mapping[str, Any],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
    strong: Mapping[str, Arrays],
) -> Iterator[dict[str, Any]]:
    """A row for each student of one seed."""
    truth, parts, fitted = data["rows"]["label"].to_numpy(dtype=np.float64), data[seed], strong[seed]
    last, teachers = settings.strong.rungs[-1], settings.weak.teachers
    taught = {name: weak[seed][name] for name in settings.weak.taught()}
    taught |= {kind: fitted[LABELS] for kind in ("itself",) if kind in settings.weak.controls}
    for rung in settings.strong.rungs:
        names = [name for name in taught if name in teachers or rung == last]
        least = minima(represent[rung]["features"], truth, parts, [fitted[f"{rung}/{name}/radius"] for name in names])
        for name, own in zip(names, least, strict=True):
            triple = (truth, taught[name], fitted[f"{rung}/{name}"], fitted[f"{rung}/{CEILING}"])
            yield row(name, rung, name if name not in teachers else None, triple, parts, own, settings, seed)
    if LABELS in settings.weak.controls:  # no student: measured against the first teacher, whose labels it saw
        first = next(iter(teachers))
        triple = (truth, taught[first], fitted[LABELS], fitted[f"{last}/{CEILING}"])
        nothing = dict.fromkeys(("test", "weak"), np.array([np.nan]))
        yield row(first, last, LABELS, triple, parts, nothing, settings, seed)


def minima(features: Array, truth: Array, parts: Arrays, radii: Sequence[Array]) -> list[dict[str, Array]]:
    """Of each student the error of the best member of its class on the test rows and on its own, (1,) each.

    radii: of the students' classes, (1,) each; all at once, since one eigendecomposition serves them.  NaN where the
    class is a constant alone, or learns the test rows by heart.
    """
    every = np.concatenate(radii)
    some = every > 0
    found = {part: np.full(len(every), np.nan) for part in ("test", "weak")}
    for part, least in found.items():
        if some.any():
            errors, freedom = fitting.class_minimum(features, truth, parts[part], parts["weak"], every[some])
            least[some] = np.where((freedom <= len(parts[part]) / 2) | (part == "weak"), errors, np.nan)
    return [{part: least[[place]] for part, least in found.items()} for place in range(len(every))]


def row(
    weak: str,
    strong: str,
    control: str | None,
    triple: tuple[Array, Array, Array, Array],
    parts: Arrays,
    least: Mapping[str, Array],
    settings: Settings,
    seed: str,
) -> dict[str, Any]:
    """A cell: measures on the test rows and, as `train_...`, on ``parts["weak"]``, the rows the student was fitted on.

    triple: truth, teacher, student and ceiling for all rows, each (rows,); least: `minimum` on either part.
    """
    measured = {part: squared.measure(*(values[None, parts[part]] for values in triple), least[part]) for part in least}
    own = {f"train_{name}": float(measured["weak"][name][0]) for name in TRAIN}
    return {
        "dataset": settings.data.name,
        "weak": weak,
        "strong": strong,
        "head": "ridge",
        "inputs": "half",
        "control": control,
        "seed": int(seed),
        "n_train": len(parts["weak"]),
        "n_eval": len(parts["test"]),
        **{name: float(values[0]) for name, values in measured["test"].items()},
        **own,
    }
