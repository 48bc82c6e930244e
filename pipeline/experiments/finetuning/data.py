"""Read the text sets and divide each into a fixed test and validation, and rows of teacher and student by seed.

Items: `<dataset>`, a table of the rows that are used (`text`, `label`, `family`); `<dataset>.<seed>` -> truth, weak,
validation, test: places in it; `report`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.finetuning.settings import Data, Pooled, Settings, Texts
from pipeline.experiments.preferences.common import sources, texts

Array = np.ndarray


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Rows of every set, and parts of every seed."""
    items: dict[str, Any] = {"report": {}}
    for name, chosen in settings.data.datasets.items():
        table, parts = prepare(name, chosen, settings.data)
        items |= {name: table, **{f"{name}.{seed}": own for seed, own in parts.items()}}
        items["report"][name] = {"rows": len(table), "families": int(table["family"].nunique())}
    return items


def prepare(name: str, chosen: Texts, data: Data) -> tuple[pd.DataFrame, dict[int, Arrays]]:
    """One set: the rows that some seed uses, and each seed's parts as places among them."""
    table = texts.formatted(name, "pool", sources.tables(name, chosen)["pool"], chosen, data.seed)
    table = table.drop_duplicates("text", ignore_index=True)
    family = families_of(table, chosen)
    parts = {seed: divided(name, family, chosen, data.seed, seed) for seed in data.seeds}
    used = np.unique(np.concatenate([rows for own in parts.values() for rows in own.values()]))
    table = table.assign(family=family)[["text", "label", "family"]].iloc[used].reset_index(drop=True)
    return table, {
        seed: {part: np.searchsorted(used, rows) for part, rows in own.items()} for seed, own in parts.items()
    }


def families_of(table: pd.DataFrame, chosen: Pooled) -> Array:
    """Number of the family of each row of a formatted table, (n,): by shared words where they are asked for."""
    return families(table["text"], chosen.shared_words) if chosen.shared_words else pd.factorize(table["prompt"])[0]


def families(rows: Sequence[str], words: int) -> Array:
    """Number of the family of each text, (n,): texts that share so many words in a row, directly or through others."""
    known: dict[tuple[str, ...], int] = {}
    found = []
    for row, text in enumerate(rows):
        parts = text.split()
        runs = [tuple(parts[start : start + words]) for start in range(len(parts) - words + 1)]
        found += [(row, known.setdefault(run, len(known))) for run in runs]
    here, there = np.array(found, dtype=np.int64).reshape(-1, 2).T
    total = len(rows) + len(known)
    graph = coo_array((np.ones(len(here)), (here, len(rows) + there)), shape=(total, total))
    return np.asarray(connected_components(graph, directed=False)[1][: len(rows)])


def divided(name: str, family: Array, chosen: Texts, fixed: int, seed: int) -> Arrays:
    """Rows of each part.  Test and validation are the same for every seed, one row of a family: no two are related.

    Each seed halves the other families between teacher and student, whose rows are drawn from their half.
    """
    stream = streams.generator(fixed, f"finetuning/{name}/fixed")
    order, number = stream.permutation(family.max() + 1), chosen.sizes["test"] + chosen.validation
    test, validation, rest = np.split(order, [chosen.sizes["test"], number])
    rows = stream.permutation(len(family))
    firsts = rows[np.unique(family[rows], return_index=True)[1]]  # of each family, by its number
    own = streams.generator(seed, f"finetuning/{name}/parts")
    halves, rows = np.array_split(own.permutation(rest), 2), own.permutation(len(family))
    parts = {part: rows[np.isin(family[rows], half)] for part, half in zip(("truth", "weak"), halves, strict=True)}
    if len(order) < number or any(len(found) < chosen.sizes[part] for part, found in parts.items()):
        raise InputError(
            f"text set '{name}': {len(family)} texts in {len(order)} families are too few for its parts; lower "
            f"data.datasets.{name}.sizes in {{where}}"
        )
    return {
        **{part: found[: chosen.sizes[part]] for part, found in parts.items()},
        "validation": firsts[validation],
        "test": firsts[test],
    }
