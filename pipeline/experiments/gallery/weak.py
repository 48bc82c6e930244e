"""Fit the teachers of every item; a bundle's arrays are named in the item's module."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.gallery.items import step, units
from pipeline.experiments.gallery.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers, a unit each item and seed."""
    named = units(settings.data)
    return pool.map(step, {unit: ("teach", unit, *own, upstream["data"]) for unit, own in named.items()})
