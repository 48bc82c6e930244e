"""The items of the gallery, in the order of its figure, and one step of one of them as a unit of work."""

from collections.abc import Mapping
from typing import Any

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.experiments.gallery import expansion, masking, posterior_mean, random_features, spiked, subspaces
from pipeline.experiments.gallery.settings import Data

ITEMS = {
    "subspaces": subspaces.ITEM,
    "random_features": random_features.ITEM,
    "masking": masking.ITEM,
    "expansion": expansion.ITEM,
    "posterior_mean": posterior_mean.ITEM,
    "spiked": spiked.ITEM,
}


def units(data: Data) -> dict[str, tuple[str, int, Any]]:
    """Item, seed and sizes of each unit, by the name of its bundle."""
    return {f"{name}-{seed}": (name, seed, getattr(data, name)) for name in ITEMS for seed in data.seeds}


def step(what: str, unit: str, name: str, seed: int, sizes: Any, *bundles: Mapping[str, Arrays]) -> Arrays:
    """`draw`, `teach` or `learn` of one item and seed, with a random stream of its own."""
    stream = streams.generator(seed, f"gallery/{name}/{what}")
    found: Arrays = getattr(ITEMS[name], what)(*(bundle[unit] for bundle in bundles), stream, sizes)
    return found
