"""One weak pretraining a seed, and strong ones by both schedules, kept at several numbers of epochs.

One item per seed: `weak_pretrained` and `<schedule>-<epochs>`.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.realizability.common.settings import Grid, Settings
from pipeline.experiments.synthetic.common.panels import pack, unit, unpack
from pipeline.experiments.synthetic.represent import pretrain


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Representations of every seed."""
    data, grid = upstream["data"], settings.represent
    strong = {
        f"{unit(seed)}-{schedule}": (seed, schedule, data, grid, pool.checkpoint(f"{unit(seed)}-{schedule}"))
        for seed in settings.data.seeds
        for schedule in grid.schedules
    }
    weak = {
        f"{unit(seed)}-weak": (
            seed,
            "weak",
            data,
            grid.training(grid.weak_schedule, grid.weak_epochs),
            pool.checkpoint(f"{unit(seed)}-weak"),
        )
        for seed in settings.data.seeds
    }
    trained = {**pool.map(pretrain_stepwise, strong), **pool.map(pretrain, weak)}
    return {
        unit(seed): {
            key: array
            for name in (*grid.schedules, "weak")
            for key, array in trained[f"{unit(seed)}-{name}"].items()
            if not key.endswith("_losses")
        }
        for seed in settings.data.seeds
    }


def pretrain_stepwise(seed: int, schedule: str, data: Mapping[str, Arrays], grid: Grid, checkpoint: Path) -> Arrays:
    """One long strong pretraining, with a copy of the network at each number of epochs of the grid."""
    kept: Arrays = {}
    previous = None
    for epochs in sorted(grid.strong_epochs):
        own = checkpoint.with_stem(f"{checkpoint.stem}-{epochs}")
        if previous is not None and not own.exists():
            shutil.copyfile(previous, own)
        trained = pretrain(seed, "strong", data, grid.training(schedule, epochs), own)
        kept.update(pack(f"{schedule}-{epochs}", unpack("strong_pretrained", trained)))
        previous = own
    return kept
