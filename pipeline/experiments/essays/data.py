"""Read and check the essays, standardise their scores prompt by prompt, and draw as many of each prompt.

Items: `rows`, a table (`text`, `label`, `prompt`); `<seed>` -> truth, weak, test: places in it; `report`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core import files, streams, tabular
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.essays.settings import Data, Settings
from pipeline.experiments.preferences.common import texts
from pipeline.experiments.regression import data as regression

REMEDY = (
    "take training_set_rel3.tsv of Kaggle's competition asap-aes, save it as UTF-8 in data/own/ and name it with its "
    "sha256 under data.source of {where}; without it this study is left out"
)


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Essays, each seed's parts of them, and counts."""
    data = settings.data
    table, report = rows(data)
    parts = {str(seed): regression.divided(np.arange(len(table)), data.name, seed) for seed in data.seeds}
    return {"rows": table, **parts, "report": report}


def rows(data: Data) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Checked essays, the first of every prompt before the second of any, so that a part of the table is even too.

    Labels have mean 0 and deviation 1 over all essays of their prompt, those that are not drawn included.
    """
    owner = f"data set '{data.name}'"
    wanted = {**data.columns, "prompt": data.prompt}
    raw = tabular.read(files.found(owner, data.source, REMEDY), owner)
    raw = tabular.columns(raw, wanted, owner, "data.columns.{role} in {where}")
    texts.are_texts(raw["text"], data.columns["text"], f"{owner}:", "data.columns")
    table = raw.assign(label=regression.numbers(raw["label"], data.columns["label"], owner))
    once = table.drop_duplicates("text", ignore_index=True)
    found = sorted(once["prompt"].unique().tolist(), key=str)
    if len(found) != data.prompts:
        held = f"{len(found)} different prompts under '{data.prompt}', not {data.prompts}"
        raise InputError(f"{owner}: there are {held}; correct data.prompts or data.prompt in {{where}}")
    drawn = [_of_prompt(once[once["prompt"] == prompt], data, owner) for prompt in found]
    even = pd.concat(drawn).sort_values(["turn", "prompt"], kind="stable", ignore_index=True)
    counts = once["prompt"].value_counts().loc[found]
    report = {"rows": len(table), "repeats": len(table) - len(once), "of_each_prompt": counts.tolist()}
    return even[["text", "label", "prompt"]], report


def _of_prompt(essays: pd.DataFrame, data: Data, owner: str) -> pd.DataFrame:
    """Essays of one prompt in the order in which they are drawn (`turn`), scores standardised over all of them."""
    prompt, count = essays["prompt"].iloc[0], data.rows // data.prompts
    scores = essays["label"]
    if len(essays) < count:
        raise InputError(
            f"{owner}: prompt {prompt} has {len(essays)} essays, fewer than the {count} asked for; lower data.rows in "
            "{where}"
        )
    if not scores.std() > 0:
        raise InputError(f"{owner}: all essays of prompt {prompt} have the score {scores.iloc[0]:g}; leave them out")
    standard = essays.assign(label=(scores - scores.mean()) / scores.std(ddof=0))
    order = streams.generator(data.seed, f"essays/{data.name}/rows-{prompt}").permutation(len(essays))[:count]
    return standard.iloc[order].assign(turn=np.arange(count))
