"""Measure teacher, student and ceiling on the test rows: a cell per student, with PGR and its paired interval."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences.common import at_hand, designs, finetuned, measured, recovery, students
from pipeline.experiments.preferences.common.designs import Unit
from pipeline.experiments.preferences.settings import Settings
from pipeline.measures import classification as measures
from pipeline.summary.classification import by_unit

KEYS = ("loss", "labels", "direction", "epoch", "lr", "noise")
ESTIMATES = ("language models read and trained in bfloat16",)
# Each seed draws truth, weak and test rows anew from the same texts, a third of them for the test.
OVERLAP = {"seed": 0.5}
Array = np.ndarray


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every set and seed, and their summary."""
    asked, settings = settings, at_hand.present(settings, upstream)
    bundles = (upstream["data"], upstream["weak"], upstream["strong"])
    units = designs.units(settings, upstream["data"])
    values = pool.map(measure, {name: (unit, settings, *bundles) for name, unit in units.items()})
    tables = [_table(unit, values[name], settings, upstream["data"]) for name, unit in units.items()]
    cells = pd.concat([*tables, *finetuned.cells(settings, *bundles)], ignore_index=True)
    cells = measures.ordered(cells, measured.EXTRA)
    main = cells[(cells["panel"] == "main") & (cells["labels"] == "soft")]
    groups = ("dataset", "weak", "strong", "loss")
    metrics = by_unit(main, "seed", groups, settings.evaluate.confidence)
    own = {"pretrained": pretrained(upstream), "precision": precision(settings, upstream)}
    missing = at_hand.left_out(asked, settings)
    told = {"left_out": missing} if missing else {}
    return {"cells": cells, "metrics": {**own, **metrics, **told}}


def measure(
    unit: Unit,
    settings: Settings,
    data: Mapping[str, Any],
    weak: Mapping[str, Arrays],
    strong: Mapping[str, Arrays],
) -> Arrays:
    """Measures of one unit: `<panel or rung>/<column>` -> values over its students."""
    table, found = data[unit.dataset], {}
    parts = designs.parts(table, unit, settings.weak)
    setting = measured.scene(table, parts, unit.seed, settings.evaluate, unit.dataset)
    taught, fitted = weak[unit.name], strong[unit.name]
    for rung in settings.strong.rungs:
        plan, ceiling = students.plan(settings, rung, unit.distinct), fitted[f"{rung}/ceiling"]
        columns = measured.columns_of(plan, fitted[f"{rung}/students"], taught, ceiling, setting, settings.evaluate)
        found |= {f"{rung}/{column}": values for column, values in columns.items()}
    if "curves" not in fitted:
        return found
    plan, ceiling = students.curves(settings), fitted[f"{settings.strong.focus}/ceiling"]
    followed = [
        measured.columns_of(plan, snapshot, taught, ceiling, setting, settings.evaluate)
        for snapshot in fitted["curves"]
    ]
    joined = {column: np.concatenate([values[column] for values in followed]) for column in followed[0]}
    return found | {f"curves/{column}": values for column, values in joined.items()}


def pretrained(upstream: Mapping[str, Any]) -> dict[str, Any]:
    """Size of the study's own language models, and their loss on documents held out of their pretraining."""
    told = ("read_parameters", "tokens", "held_out")
    return {name: {key: record[key] for key in told} for name, record in upstream["represent"]["pretrained"].items()}


def precision(settings: Settings, upstream: Mapping[str, Any]) -> dict[str, Any]:
    """Accuracy of a ceiling on bfloat16 features less that on float32 ones, paired interval over rows."""
    found: dict[str, Any] = {}
    for dataset, count in settings.represent.float32_rows.items():
        truth = _published_test(upstream["data"][dataset])[:count] > 0.5
        stream = streams.generator(settings.data.seed, f"preferences/{dataset}/precision")
        drawn = recovery.weights(len(truth), settings.evaluate.resamples, stream)
        for rung in settings.strong.rungs:
            hits = {
                name: np.mean(
                    [
                        (upstream["strong"][Unit(dataset, seed).name][f"{rung}/{name}"] > 0.5) == truth
                        for seed in settings.weak.seeds
                    ],
                    axis=0,
                )
                for name in students.PRECISIONS
            }
            difference = hits["bfloat16"] - hits["float32"]
            ends = [(1 - settings.evaluate.confidence) / 2, (1 + settings.evaluate.confidence) / 2]
            low, high = np.quantile(drawn @ difference, ends)
            found.setdefault(dataset, {})[rung] = {
                "float32_accuracy": float(f"{hits['float32'].mean():.6g}"),
                "difference": {
                    "mean": float(f"{difference.mean():.6g}"),
                    "low": float(f"{low:.6g}"),
                    "high": float(f"{high:.6g}"),
                },
            }
    return found


def _published_test(table: pd.DataFrame) -> Array:
    return designs.labels(table)[(table["part"] == "test").to_numpy()]


def _table(unit: Unit, columns: Arrays, settings: Settings, data: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    found: dict[str, Arrays] = {}
    for name, values in columns.items():
        place, column = name.rsplit("/", 1)
        found.setdefault(place, {})[column] = values
    plans = {rung: students.plan(settings, rung, unit.distinct) for rung in settings.strong.rungs}
    made = pd.concat([measured.labelled(plan, found[rung]) for rung, plan in plans.items()])
    made = made.assign(epoch=settings.strong.fit.epochs)
    if "curves" in found and settings.strong.curves:
        epochs, plan = settings.strong.curves.epochs, students.curves(settings)
        followed = measured.labelled(plan * len(epochs), found["curves"])
        made = pd.concat([made, followed.assign(epoch=np.repeat(epochs, len(plan)))])
    rows = designs.parts(data[unit.dataset], unit, settings.weak)
    return made.assign(
        dataset=unit.dataset,
        seed=unit.seed,
        n_train=len(rows.weak),
        n_eval=len(rows.test),
    )
