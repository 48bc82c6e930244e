"""Read every text once by every frozen model on which a teacher stands.

Items: `<dataset>.<view>` -> `features` (rows of the set's table, hidden) float32; `report` with tokens.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import artifacts
from pipeline.core.parallel import Pool
from pipeline.experiments.finetuning.settings import Settings
from pipeline.experiments.preferences.common import models
from pipeline.language import cache

HOME = artifacts.ARTIFACTS / "features"


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Features of every set; a unit is one set read by one model."""
    represent, units = settings.represent, {}
    used = dict.fromkeys(view.model for view in represent.views.values())
    for dataset in settings.data.datasets:
        texts = tuple(upstream["data"][dataset]["text"])
        for name in used:
            place, views = models.place(represent.models[name]), models.read_outs(name, represent.views)
            order = cache.Order(place.identity, represent.precision, views, represent.max_tokens, texts)
            units[f"{dataset}--{name}"] = (name, place, order, HOME.resolve())
    found = pool.map(models.features, units)
    items: dict[str, Any] = {"report": {}}
    for unit, arrays in found.items():
        dataset, name = unit.split("--")
        items["report"][f"{dataset}/{name}"] = {
            "tokens": int(np.minimum(arrays["lengths"], represent.max_tokens).sum()),
            "truncated": int((arrays["lengths"] > represent.max_tokens).sum()),
        }
        for view, chosen in represent.views.items():
            if chosen.model == name:
                items[f"{dataset}.{view}"] = {"features": arrays[f"{chosen.layer}.{chosen.pooling}"]}
    return items
