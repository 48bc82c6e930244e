"""Nothing is learned here: what teacher and student see is drawn with each world."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.parallel import Pool
from pipeline.experiments.gallery.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """A note in place of representations."""
    return {"note": {"views": "drawn with each world, in data"}}
