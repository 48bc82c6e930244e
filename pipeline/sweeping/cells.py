"""The verbs of an experiment, one after the other in memory: the same functions as in the stages, no file between."""

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.cells import REQUIRED, complete, without_controls
from pipeline.core.errors import InputError
from pipeline.core.experiments import UPSTREAM, VERBS, Experiment
from pipeline.core.parallel import Pool


class Serial(Pool):
    """A pool that works in this process: a whole shard is one unit already."""

    def map(self, function: Callable[..., Arrays], units: Mapping[str, tuple[Any, ...]]) -> dict[str, Arrays]:
        """Results by unit name."""
        return {name: function(*arguments) for name, arguments in units.items()}


def shard(experiment: Experiment, settings: Any, point: Mapping[str, Any], seeds: tuple[int, ...]) -> bytes:
    """Cells of these seeds at one point without those of control teachers, a column for each coordinate, as parquet."""
    tables = []
    for seed in seeds:  # one by one, for their samples are what fills the memory
        cells = without_controls(run(experiment, _of(settings, seed)))
        numbers = cells[list(REQUIRED)].to_numpy(dtype=np.float64)
        if not np.isfinite(numbers).all():
            raise InputError(f"{experiment.name} at {dict(point)}, seed {seed}: a measure is not a finite number")
        tables.append(cells.assign(**{key: _plain(value) for key, value in point.items()}))
    stream = BytesIO()
    pd.concat(tables, ignore_index=True).to_parquet(stream, index=False)
    return stream.getvalue()


def run(experiment: Experiment, settings: Any) -> pd.DataFrame:
    """Cells of an experiment with these settings, by its six verbs."""
    made: dict[str, Any] = {}
    with TemporaryDirectory() as scratch, experiment.named():
        for verb in VERBS:
            upstream = {name: made[name] for name in UPSTREAM[verb]}
            made[verb] = experiment.function(verb)(settings, upstream, Serial(verb, Path(scratch)))
    return complete(made["evaluate"]["cells"], experiment.name)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, list) else value


def _of(settings: Any, seed: int) -> Any:
    seeds = {"seeds": (seed,), "further_seeds": ()}
    own = {name: value for name, value in seeds.items() if hasattr(settings.data, name)}
    return settings.model_copy(update={"data": settings.data.model_copy(update=own)})
