"""Hand the teachers over: here a teacher is a function or what it says, so a student needs nothing else of it."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.gallery.items import units
from pipeline.experiments.gallery.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers by unit."""
    return {unit: upstream["weak"][unit] for unit in units(settings.data)}
