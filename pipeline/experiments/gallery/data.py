"""Draw the world of each item: an item a unit `<item>-<seed>`, whose arrays its module names."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.gallery.items import step, units
from pipeline.experiments.gallery.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """All worlds."""
    return {unit: step("draw", unit, *named) for unit, named in units(settings.data).items()}
