"""Measure teacher, student and ceiling on the test rows: a cell per student, with PGR and its paired interval."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.cells import COLUMNS
from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.kl.common import measures
from pipeline.experiments.preferences.common import designs, finetuned, measured, recovery, students
from pipeline.experiments.preferences.common.settings import Settings
from pipeline.summary.classification import by_unit

Array = np.ndarray


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every set and seed, and their summary."""
    bundles = (upstream["data"], upstream["weak"], upstream["strong"])
    units = {
        designs.unit(dataset, seed): (dataset, seed, settings, *bundles)
        for dataset in settings.data.datasets
        for seed in settings.weak.seeds
    }
    values = pool.map(measure, units)
    tables = [_table(dataset, seed, values[name], settings, upstream) for name, (dataset, seed, *_) in units.items()]
    cells = pd.concat([*tables, *finetuned.cells(settings, *bundles)], ignore_index=True)
    cells = cells.reindex(columns=[*COLUMNS, *measures.COLUMNS, *measured.EXTRA])
    main = cells[(cells["panel"] == "main") & (cells["labels"] == "soft")]
    groups = ("dataset", "weak", "strong", "loss")
    metrics = by_unit(main, "seed", groups, settings.evaluate.confidence)
    own = {"pretrained": pretrained(upstream), "precision": precision(settings, upstream)}
    return {"cells": cells, "metrics": {**own, **metrics}}


def measure(
    dataset: str,
    seed: int,
    settings: Settings,
    data: Mapping[str, Any],
    weak: Mapping[str, Arrays],
    strong: Mapping[str, Arrays],
) -> Arrays:
    """Measures of one set and seed: `<panel or rung>/<column>` -> values over its students."""
    setting, name, found = _scene(dataset, seed, settings, data), designs.unit(dataset, seed), {}
    taught, fitted = weak[name], strong[name]
    for rung in settings.strong.rungs:
        plan, ceiling = students.plan(settings, rung), fitted[f"{rung}/ceiling"]
        columns = measured.columns_of(plan, fitted[f"{rung}/students"], taught, ceiling, setting, settings.evaluate)
        found |= {f"{rung}/{column}": values for column, values in columns.items()}
    plan, ceiling = students.curves(settings), fitted[f"{settings.strong.focus}/ceiling"]
    parts = [
        measured.columns_of(plan, snapshot, taught, ceiling, setting, settings.evaluate)
        for snapshot in fitted["curves"]
    ]
    return found | {f"curves/{column}": np.concatenate([part[column] for part in parts]) for column in parts[0]}


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
                        (upstream["strong"][designs.unit(dataset, seed)][f"{rung}/{name}"] > 0.5) == truth
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


def _scene(dataset: str, seed: int, settings: Settings, data: Mapping[str, Any]) -> measured.Scene:
    parts = designs.parts(data[dataset], dataset, seed, settings.weak.parts, settings.weak.seeds[0])
    return measured.scene(data[dataset], parts, seed, settings.evaluate, dataset)


def _published_test(table: pd.DataFrame) -> Array:
    return designs.labels(table)[(table["part"] == "test").to_numpy()]


def _table(dataset: str, seed: int, columns: Arrays, settings: Settings, upstream: Mapping[str, Any]) -> pd.DataFrame:
    found: dict[str, Arrays] = {}
    for name, values in columns.items():
        place, column = name.rsplit("/", 1)
        found.setdefault(place, {})[column] = values
    tables = [measured.labelled(students.plan(settings, rung), found[rung]) for rung in settings.strong.rungs]
    epochs = settings.strong.curves.epochs
    plan = students.curves(settings)
    followed = measured.labelled(plan * len(epochs), found["curves"]).assign(epoch=np.repeat(epochs, len(plan)))
    main = pd.concat(tables).assign(epoch=settings.strong.fit.epochs)
    rows = upstream["data"][dataset]["part"].value_counts()
    return pd.concat([main, followed]).assign(
        experiment="preferences", dataset=dataset, split="", seed=seed, n_train=rows["weak"], n_eval=rows["test"]
    )
