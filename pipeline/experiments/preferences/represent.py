"""Read every text once by every model and keep what the rungs of the ladder see.

Items: `<dataset>.<rung>` -> truth, weak, test (rows, hidden) float32: of a pair the features of slot A minus those of
slot B (the reward is linear, so their difference is all it needs), of a text its features; `<dataset>.<rung>.float32`
the same for the first rows, read without bfloat16; `report` with tokens and truncated texts; `pretrained` with the
training records of the study's own models.
"""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core import artifacts
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences.common import at_hand, models
from pipeline.experiments.preferences.common.texts import PARTS
from pipeline.experiments.preferences.settings import Pretrained, Represent, Settings
from pipeline.language import cache

HOME = artifacts.ARTIFACTS / "features"


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Features of every set; a unit is one part of one set read by one model in one precision."""
    settings = at_hand.present(settings, upstream)
    absent, units = at_hand.rungs(settings.represent), {}
    if absent:
        print(f"rungs left out, for their networks could not be pretrained: {', '.join(absent)}", file=sys.stderr)
    settings = at_hand.without(settings, settings.data.datasets, absent)
    represent = settings.represent
    if not represent.ladder:
        raise InputError("{where}: no rung is left without the corpora of pretrain; set W2S_MIRROR to their folder")
    places = {name: models.place(model) for name, model in represent.models.items() if _used(name, represent)}
    for dataset, chosen in settings.data.datasets.items():
        table = upstream["data"][dataset]
        for part in PARTS:
            rows = table[table["part"] == part].head(chosen.sizes[part])
            for model, place in places.items():
                for name, precision, some in _readings(dataset, rows, represent):
                    views = models.read_outs(model, represent.ladder)
                    order = cache.Order(place.identity, precision, views, represent.max_tokens, texts_of(some))
                    units[_unit(name, part, model, place)] = (model, place, order, _signs(some), HOME.resolve())
    found = pool.map(read, units)
    missing = {at_hand.LEFT_OUT: absent} if absent else {}
    return {**_bundle(found, represent), "pretrained": _records(represent), **missing}


def read(model: str, place: models.Place, order: cache.Order, signs: np.ndarray | None, home: Path) -> Arrays:
    """Features of one part: `<layer>.<pooling>` -> (rows, hidden), `lengths` -> tokens of each text."""
    read_out = models.features(model, place, order, home)
    tokens = {"lengths": read_out.pop("lengths"), "limit": np.array([order.max_tokens])}
    if signs is None:
        return {**read_out, **tokens}
    # Texts stand as chosen, rejected, chosen, rejected, ...; the coin decides which is in slot A.
    return {name: (array[::2] - array[1::2]) * signs[:, None] for name, array in read_out.items()} | tokens


def texts_of(rows: pd.DataFrame) -> tuple[str, ...]:
    """Texts of a part in the order in which they are read."""
    if "chosen" not in rows:
        return tuple(rows["text"])
    return tuple(text for pair in zip(rows["chosen"], rows["rejected"], strict=True) for text in pair)


def _used(model: str, represent: Represent) -> bool:
    return any(view.model == model for view in represent.ladder.values())


def _unit(name: str, part: str, model: str, place: models.Place) -> str:
    # Finished units outlive a kill, and neither settings nor code say when a pretrained model was made anew.
    return "--".join([name, part, model, hashlib.sha256(place.identity.encode()).hexdigest()[:16]])


def _records(represent: Represent) -> dict[str, Any]:
    own = {name: model for name, model in represent.models.items() if _used(name, represent)}
    return {
        name: artifacts.read_item(models.pretrained(model) / models.RECORD)
        for name, model in own.items()
        if isinstance(model, Pretrained)
    }


def _readings(dataset: str, rows: pd.DataFrame, represent: Represent) -> list[tuple[str, str, pd.DataFrame]]:
    readings: list[tuple[str, str, pd.DataFrame]] = [(dataset, represent.precision, rows)]
    if dataset in represent.float32_rows:
        readings.append((f"{dataset}.float32", "float32", rows.head(represent.float32_rows[dataset])))
    return readings


def _signs(rows: pd.DataFrame) -> np.ndarray | None:
    if "swapped" not in rows:
        return None
    return np.where(rows["swapped"], np.float32(-1), np.float32(1))


def _bundle(found: Mapping[str, Arrays], represent: Represent) -> dict[str, Any]:
    items: dict[str, Any] = {"report": {}}
    for unit, arrays in found.items():
        name, part, model, _ = unit.split("--")
        dataset, _, precision = name.partition(".")
        for rung, view in represent.ladder.items():
            if view.model == model:
                item = ".".join(filter(None, (dataset, rung, precision)))
                items.setdefault(item, {})[part] = arrays[f"{view.layer}.{view.pooling}"]
        lengths, limit = arrays["lengths"], int(arrays["limit"][0])
        counts = {"texts": len(lengths), "tokens": int(np.minimum(lengths, limit).sum())}
        items["report"][f"{name}/{part}/{model}"] = {**counts, "truncated": int((lengths > limit).sum())}
    return items
