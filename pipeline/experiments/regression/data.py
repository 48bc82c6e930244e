"""Read the table, check text, molecule and label of every row, and divide the rows anew for each seed.

Items: `rows`, a table (`text`, `label`); `<seed>` -> truth, weak, test: places in it; `report`.
"""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core import files, streams, tabular
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences.common import texts
from pipeline.experiments.preferences.common.texts import PARTS
from pipeline.experiments.regression.settings import Data, Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Rows, each seed's parts of them, and counts."""
    data = settings.data
    table, report = rows(data)
    group = pd.factorize(table["group"])[0]
    parts = {str(seed): divided(group, data.name, seed) for seed in data.seeds}
    return {"rows": table[["text", "label"]], **parts, "report": report}


def rows(data: Data) -> tuple[pd.DataFrame, dict[str, int]]:
    """Checked rows, each text or molecule once, and what was left out."""
    owner = f"data set '{data.name}'"
    place = files.found(owner, data.source)
    raw = tabular.columns(tabular.read(place, owner), data.columns, owner, "data.columns.{role} in {where}")
    read = (
        molecules(raw["smiles"], owner) if data.role == "smiles" else _texts(raw["text"], data.columns["text"], owner)
    )
    table = pd.DataFrame({"text": read, "label": numbers(raw["label"], data.columns["label"], owner)})
    table["group"] = raw["group"].astype(str) if "group" in raw else table["text"]
    differ = table.groupby("text")["label"].transform("nunique") > 1
    once = table.drop_duplicates("text", ignore_index=True)
    report = {"rows": len(table), "repeats": len(table) - len(once), "conflicting": int(differ.sum())}
    if report["repeats"]:
        told = f"{report['repeats']} of {len(table)} rows repeat an earlier {data.role} and are left out"
        print(f"{owner}: {told}; {report['conflicting']} rows stand with different labels", file=sys.stderr)
    if len(once) < data.rows:
        raise InputError(
            f"{owner}: there are {len(once)} different rows, fewer than the {data.rows} asked for; lower data.rows in "
            "{where}"
        )
    chosen = streams.generator(data.seed, f"regression/{data.name}/rows").permutation(len(once))[: data.rows]
    return once.iloc[np.sort(chosen)].reset_index(drop=True), report


def divided(group: np.ndarray, name: str, seed: int) -> Arrays:
    """Three parts of (nearly) a third of the rows each, a group (n,) never in two."""
    order = streams.generator(seed, f"regression/{name}/parts").permutation(group.max() + 1)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    placed = np.argsort(rank[group], kind="stable")
    third = len(group) * np.arange(1, 3) // 3
    ends = [_start_of_group(rank[group][placed], int(end)) for end in third]
    parts = dict(zip(PARTS, np.split(placed, ends), strict=True))
    for part, own in parts.items():
        if len(own) < len(group) / 10:
            raise InputError(
                f"data set '{name}': the groups are too few or too unequal for the part {part}; merge none"
            )
    return parts


def numbers(labels: pd.Series, column: str, owner: str) -> np.ndarray:
    """Labels (n,), finite and not all equal."""
    found = pd.to_numeric(labels, errors="coerce").to_numpy(dtype=np.float64)
    bad = ~np.isfinite(found)
    if bad.any():
        row = int(bad.argmax())
        hint = "drop the row" if not bad.all() else "is this the column of labels?"
        what = f"row {row} has the label {str(labels.iloc[row])[:40]!r} under '{column}', which is not a number"
        raise InputError(f"{owner}: {what}; {hint}")
    if (found == found[0]).all():
        raise InputError(f"{owner}: all labels under '{column}' are {found[0]:g}; there is nothing to learn")
    return found


def molecules(column: pd.Series, owner: str) -> list[str]:
    """Canonical SMILES."""
    from rdkit import Chem

    from pipeline.experiments.molecules.common.files import NO_MOLECULE
    from pipeline.models.molecules import smiles

    for row, text in enumerate(column):
        if not isinstance(text, str) or text.strip().lower() in NO_MOLECULE:
            raise InputError(f"{owner}: row {row} has no SMILES ({str(text)[:40]!r}); drop the row, or correct columns")
    return [Chem.MolToSmiles(smiles.parse(text.strip(), f"{owner}: row {row}")) for row, text in enumerate(column)]


def _texts(column: pd.Series, name: str, owner: str) -> pd.Series:
    texts.are_texts(column, name, f"{owner}:", "data.columns")
    return column


def _start_of_group(ranks: np.ndarray, end: int) -> int:
    """The place at or before ``end`` where its group begins."""
    return int(np.searchsorted(ranks, ranks[end]))
