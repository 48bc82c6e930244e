"""What each rung sees of every essay, as in `regression`, less the mean over the essays of the same prompt.

A reader knows which prompt is answered, and scores are standardised within it: so features are told apart within it
too, and no head has to guess the prompt.  No label enters.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.core.parallel import Pool
from pipeline.experiments.essays.settings import Settings
from pipeline.experiments.regression import represent as regression


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Features of every rung; items as in `regression`."""
    prompt = upstream["data"]["rows"]["prompt"].to_numpy()
    items = dict(regression.run(settings, upstream, pool))
    return {
        name: {"features": centred(item["features"], prompt)} if name in settings.represent.ladder else item
        for name, item in items.items()
    }


def centred(features: Any, groups: Any) -> Any:
    """Features (n, width) less their mean over the rows of the same group (n,); float32."""
    found = features.copy()
    for group in dict.fromkeys(groups.tolist()):
        own = groups == group
        found[own] -= features[own].mean(axis=0, dtype="float64").astype("float32")
    return found
