"""Read the text sets, divide them into truth, weak-label and test parts, and count what could mislead.

Items: `<dataset>`, a table with `part` and `chosen`, `rejected`, `swapped` (slot A holds the rejected text, by a coin)
or `text`, `label`, and `prompt` (equal numbers: equal prompts); `report` with the counts of each set.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.core import streams
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences.common import at_hand, designs, sources, texts
from pipeline.experiments.preferences.settings import Data, Settings, TextSet


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Tables of every text set, and their report."""
    items: dict[str, Any] = {"report": {}}
    for name, chosen in at_hand.datasets(settings.data).items():
        items[name], items["report"][name] = prepare(name, chosen, settings.data)
    return items


def prepare(name: str, chosen: TextSet, data: Data) -> tuple[pd.DataFrame, dict[str, Any]]:
    """One set: its rows and its report."""
    raw = sources.tables(name, chosen)
    made = {part: texts.formatted(name, part, table, chosen, data.seed) for part, table in raw.items()}
    unequal = {part: texts.without_equal_pairs(table) for part, table in made.items()}
    parts = texts.divided(name, unequal["pool"], chosen.sizes, data.seed) if "pool" in unequal else unequal
    shared = texts.shared_prompts(parts)
    parts = {part: parts[part].head(chosen.sizes[part]) for part in texts.PARTS}
    report = {
        "rows": {part: len(table) for part, table in parts.items()},
        "equal_pairs_left_out": sum(len(made[part]) - len(unequal[part]) for part in made),
        "shared_prompts": shared,
    }
    for part, own in parts.items():
        if own.empty:
            raise InputError(f"text set '{name}', {part}: no row is left, all pairs are equal texts; correct the file")
    table = pd.concat([table.assign(part=part) for part, table in parts.items()], ignore_index=True)
    if conflicting := texts.count_conflicts(name, made.values()):
        report["conflicting_rows"] = conflicting
    table = _slots(name, table.assign(prompt=pd.factorize(table["prompt"])[0]), data.seed)
    texts.both_classes(name, table, designs.labels(table))
    return table, report


def _slots(name: str, table: pd.DataFrame, seed: int) -> pd.DataFrame:
    columns = ["part", "prompt", *(column for column in ("chosen", "rejected", "text", "label") if column in table)]
    if "chosen" not in table:
        return table[columns]
    coins = streams.generator(seed, f"preferences/{name}/slots").random(len(table)) < 0.5
    return table[columns].assign(swapped=coins)
