"""Measure the students on the test essays and on their own, as `regression` does: a cell per student.

`weak_size` is how many numbers a teacher sees of an essay.  `panel` says whether a student learned from all of its rows
(`main`; `joined` where it sees several rungs side by side) or from the first ``n_train`` of them (`scaling`); its
ceiling is the one on all rows.  Columns
`train_...` are the measures on the rows that the student was fitted on, where it is the exact projection of its teacher
on a convex class.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.essays.settings import Settings
from pipeline.experiments.essays.strong import followed, item, scaled
from pipeline.experiments.regression import evaluate as regression
from pipeline.experiments.regression.strong import CEILING

KEYS = ("n_train",)
# Each seed divides the same essays anew: a third is the test.
OVERLAP = {"seed": 0.5}
ESTIMATES = ("language models read in bfloat16",)


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every seed, and the summary of the main panel."""
    found = regression.run(settings, upstream, pool)
    bundles = tuple(upstream[name] for name in ("data", "represent", "weak", "strong"))
    fewer = pd.DataFrame([row for seed in settings.data.seeds for row in scaling(str(seed), settings, *bundles)])
    main, joined = found["cells"], settings.joined()
    main = main.assign(panel=main["strong"].map(lambda name: "joined" if name in joined else "main"))
    cells = pd.concat([main, fewer.assign(panel="scaling")], ignore_index=True)
    sizes = {
        name: upstream["represent"][teacher.rung]["features"].shape[1]
        for name, teacher in settings.weak.teachers.items()
    }
    named = cells.assign(split="s" + cells["seed"].astype(str), weak_size=cells["weak"].map(sizes))
    return {"cells": named, "metrics": found["metrics"]}


def scaling(
    seed: str,
    settings: Settings,
    data: Mapping[str, Any],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
    strong: Mapping[str, Arrays],
) -> Iterator[dict[str, Any]]:
    """A row for each student on fewer labels of one seed."""
    truth, fitted = data["rows"]["label"].to_numpy(dtype="float64"), strong[seed]
    names = followed(settings)
    for rung, size in product(scaled(settings), settings.strong.sizes):
        parts = {**data[seed], "weak": data[seed]["weak"][:size]}
        radii = [fitted[f"{item(rung, name, size)}/radius"] for name in names]
        least = regression.minima(represent[rung]["features"], truth, parts, radii)
        for name, own in zip(names, least, strict=True):
            triple = (truth, weak[seed][name], fitted[item(rung, name, size)], fitted[f"{rung}/{CEILING}"])
            control = None if name in settings.weak.teachers else name
            yield regression.row(name, rung, control, triple, parts, own, settings, seed)
