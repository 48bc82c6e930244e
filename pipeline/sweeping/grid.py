"""sweeps/<name>.yaml -> the shards of a sweep: a few seeds of the experiment at one point of the grid each."""

import hashlib
import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field, JsonValue

from pipeline.core import config, experiments
from pipeline.core.config import Block, Count
from pipeline.core.errors import InputError

SWEEPS = Path("sweeps")


class Sweep(Block):
    """What is run where: keys of `settings` and `grid` are those of the experiment's block, with dots."""

    experiment: str
    seeds: Count  # 0, 1, ...
    seeds_per_shard: Count
    by: Annotated[tuple[str, ...], Field(min_length=1)]  # columns of the cells that a line of the summary stands for
    settings: dict[str, JsonValue]  # what is not as in params.yaml, at every point
    grid: dict[str, Annotated[list[JsonValue], Field(min_length=1)]]


class Shard(NamedTuple):
    """Seeds of one point; ``name`` is a hash of all that makes its cells but the code."""

    name: str
    point: dict[str, Any]
    settings: Any
    seeds: tuple[int, ...]


def load(name: str) -> Sweep:
    """A declared sweep."""
    path = SWEEPS / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in SWEEPS.glob("*.yaml"))) or "none"
        raise InputError(f"{path} is missing; sweeps that are there: {known}")
    return config.validate(Sweep, config.read(path), "", path)


def shards(sweep: Sweep, path: Path) -> Iterator[Shard]:
    """All shards, those of one point one after the other; ``path`` is named where a point is no valid setting."""
    base = experiments.load(sweep.experiment).settings
    if not hasattr(base.data, "seeds"):
        raise InputError(f"{path}: {sweep.experiment} has no data.seeds; a sweep runs over the seeds of an experiment")
    for values in product(*sweep.grid.values()):
        point = dict(zip(sweep.grid, values, strict=True))
        settings = _changed(base, {**sweep.settings, **point}, sweep.experiment, path)
        for first in range(0, sweep.seeds, sweep.seeds_per_shard):
            seeds = tuple(range(first, min(first + sweep.seeds_per_shard, sweep.seeds)))
            yield Shard(_name(sweep.experiment, settings, point, seeds), point, settings, seeds)


def _changed(base: Any, changes: dict[str, JsonValue], experiment: str, path: Path) -> Any:
    document = json.loads(base.model_dump_json())
    for key, value in changes.items():
        *blocks, last = key.split(".")
        block = document
        for name in blocks:
            block = block.get(name) if isinstance(block, dict) else None
        if not isinstance(block, dict) or last not in block:
            raise InputError(f"{path}: {key} is no setting of {experiment}; see its block in {config.PARAMS}")
        block[last] = value
    return config.validate(type(base), document, experiment, path)


def _name(experiment: str, settings: Any, point: dict[str, Any], seeds: tuple[int, ...]) -> str:
    # The seeds of the settings are not part of it: a shard runs its own.
    content = settings.model_dump_json(exclude={"data": {"seeds", "further_seeds"}})
    return hashlib.sha256(json.dumps([experiment, content, point, seeds]).encode()).hexdigest()[:20]
