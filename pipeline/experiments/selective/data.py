"""Read the text sets and divide them; draw the clusters.

Items: `<set>`, a table (`text`, `label`); `<set>.shots`, the examples of the prompt `few`; `<set>.<split>` -> truth,
weak, validation, test: places in the table.  `<case>.<seed>` -> the same places, and `x` (n, d), `label`, `said` (the
teacher's label) and `own` (the strong model's log-odds), each (n,).  `report`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.finetuning.data import families_of
from pipeline.experiments.preferences.common import sources, texts
from pipeline.experiments.selective.settings import PARTS, Asked, Case, Data, Settings

Array = np.ndarray


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Rows and parts of every set and case."""
    items: dict[str, Any] = {"report": {}}
    for name, chosen in settings.data.datasets.items():
        table, shots = prepare(name, chosen, settings.data)
        items |= {name: table, f"{name}.shots": shots}
        items |= {f"{name}.{split}": divided(name, len(table), chosen, split) for split in settings.data.splits}
        items["report"][name] = {"rows": len(table), "positive": float(f"{table['label'].mean():.4g}")}
    for name, case in settings.data.cases.items():
        items |= {f"{name}.{seed}": drawn(name, case, seed) for seed in settings.data.seeds}
    return items


def prepare(name: str, chosen: Asked, data: Data) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row of each family, as many as the parts need, and the examples beside them."""
    table = texts.formatted(name, "pool", sources.tables(name, chosen)["pool"], chosen, data.seed)
    order = streams.generator(data.seed, f"selective/{name}/rows").permutation(len(table))
    table = table.iloc[order].reset_index(drop=True)
    family = families_of(table, chosen)
    table = table.assign(family=family).drop_duplicates("family")[["text", "label"]]
    number = sum(part_sizes(chosen).values())
    shots = examples(table.iloc[number:], chosen.shots)
    if len(table) < number or len(shots) < chosen.shots:
        raise InputError(
            f"text set '{name}': {len(table)} unrelated texts are too few for the {number} of its parts and the "
            f"{chosen.shots} examples; lower data.datasets.{name}.sizes in {{where}}"
        )
    return table.iloc[:number].reset_index(drop=True), shots


def part_sizes(chosen: Asked) -> dict[str, int]:
    """Rows of each part."""
    return {part: chosen.validation if part == "validation" else chosen.sizes[part] for part in PARTS}


def examples(rest: pd.DataFrame, count: int) -> pd.DataFrame:
    """As many rows of each label, in turn: 0, 1, 0, 1, ..."""
    halves = [rest[(rest["label"] > 0.5) == label].head(count // 2) for label in (False, True)]
    in_turn = pd.concat([half.assign(place=range(len(half))) for half in halves]).sort_values("place", kind="stable")
    return in_turn[["text", "label"]].reset_index(drop=True)


def divided(name: str, rows: int, chosen: Asked, split: int) -> Arrays:
    """Places of each part among the rows, drawn by the split."""
    order = streams.generator(split, f"selective/{name}/parts").permutation(rows)
    return dict(zip(PARTS, np.split(order, np.cumsum([*part_sizes(chosen).values()])[:-1]), strict=True))


def drawn(name: str, case: Case, seed: int) -> Arrays:
    """One draw of clusters: their labels, which the teacher has wrong, which the strong model knows, and all rows.

    Shares of clusters are met exactly; which clusters they are is drawn, of the two independently.
    """
    stream = streams.generator(seed, f"selective/{name}/clusters")
    centres = stream.standard_normal((case.clusters, case.dimension))
    label = stream.permutation(case.clusters) % 2 == 1
    wrong = stream.permutation(case.clusters) < round(case.wrong * case.clusters)
    knows = stream.permutation(case.clusters) < round(case.knows * case.clusters)
    rows = sum(case.sizes.values())
    cluster = stream.integers(case.clusters, size=rows)
    x = centres[cluster] + case.spread * stream.standard_normal((rows, case.dimension))
    said = label[cluster] ^ wrong[cluster] ^ (stream.random(rows) < case.noise)
    fails = stream.random(rows) >= np.where(knows[cluster], case.right, 0.5)
    own = np.where(label[cluster] ^ fails, 1, -1) * np.abs(stream.standard_normal(rows))
    ends = np.cumsum([case.sizes[part] for part in PARTS])
    return {
        **dict(zip(PARTS, np.split(np.arange(rows), ends[:-1]), strict=True)),
        "x": x.astype(np.float32),
        "label": label[cluster].astype(np.float64),
        "said": said.astype(np.float64),
        "own": own,
    }
