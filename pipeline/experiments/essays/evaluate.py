"""Measure the students on the test essays and on their own, as `regression` does: a cell per student.

`weak_size` is how many numbers a teacher sees of an essay.  `panel` says whether a student learned from all of its rows
(`main`; `joined` where it sees several rungs side by side) or from the first ``n_train`` of them (`scaling`); its
ceiling is the one on all rows.  Columns
`train_...` are the measures on the rows that the student was fitted on, where it is the exact projection of its teacher
on a convex class.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.essays.settings import Settings
from pipeline.experiments.essays.strong import SCALED_CONTROLS, item
from pipeline.experiments.regression import evaluate as regression
from pipeline.experiments.regression.settings import Joined
from pipeline.experiments.regression.strong import CEILING

KEYS = ("n_train",)
# Each seed divides the same essays anew: a third is the test.
OVERLAP = {"seed": 0.5}
ESTIMATES = ("language models read in bfloat16",)


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of every seed, and the summary of the main panel."""
    found = regression.run(settings, upstream, pool)
    bundles = tuple(upstream[name] for name in ("data", "represent", "weak", "strong"))
    scaled = pd.DataFrame([row for seed in settings.data.seeds for row in scaling(str(seed), settings, *bundles)])
    joined = {name for name, rung in settings.represent.ladder.items() if isinstance(rung, Joined)}
    main = found["cells"]
    main = main.assign(panel=main["strong"].map(lambda name: "joined" if name in joined else "main"))
    cells = pd.concat([main, scaled.assign(panel="scaling")], ignore_index=True)
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
    truth, rung, fitted = data["rows"]["label"].to_numpy(dtype="float64"), settings.strong.rungs[-1], strong[seed]
    features = represent[rung]["features"]
    for size in settings.strong.sizes:
        parts = {**data[seed], "weak": data[seed]["weak"][:size]}
        names = [name for name in weak[seed] if name in settings.weak.teachers or name in SCALED_CONTROLS]
        radii = [fitted[f"{item(rung, name, size)}/radius"] for name in names]
        for name, least in zip(names, regression.minima(features, truth, parts, radii), strict=True):
            triple = (truth, weak[seed][name], fitted[item(rung, name, size)], fitted[f"{rung}/{CEILING}"])
            control = None if name in settings.weak.teachers else name
            yield regression.row(name, rung, control, triple, parts, least, settings, seed)
