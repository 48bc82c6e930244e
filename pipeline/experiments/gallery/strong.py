"""Fit the students of every item on its teachers' labels; a bundle's arrays are named in the item's module."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.gallery.items import step, units
from pipeline.experiments.gallery.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students, a unit each item and seed."""
    bundles = upstream["data"], upstream["labels"]
    return pool.map(step, {unit: ("learn", unit, *own, *bundles) for unit, own in units(settings.data).items()})
