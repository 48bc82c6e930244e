"""When does gain equal misfit?  Panel b of `synthetic` over more seeds, shorter strong pretraining and both schedules.

Strong pretrainings are named `<schedule>-<epochs>`; data and labels are those of `synthetic`.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from pipeline.core.artifacts import Arrays
from pipeline.core.config import AdamW, Block, Count, NonNegative, Positive
from pipeline.core.parallel import Pool
from pipeline.experiments.synthetic import settings as synthetic
from pipeline.experiments.synthetic.common.panels import Panel, pack, unit, unpack
from pipeline.experiments.synthetic.evaluate import measure_all
from pipeline.experiments.synthetic.represent import pretrain
from pipeline.experiments.synthetic.settings import Pretraining, Schedule
from pipeline.experiments.synthetic.strong import fit_all
from pipeline.experiments.synthetic.weak import fit_teachers
from pipeline.summary.metrics import by_unit

KEYS = ("schedule", "epochs")
TOLERANCE = (1e-8, 1e-6, "the kernels of synthetic")


class Grid(Block):
    """One weak pretraining, and strong ones by schedule and number of epochs."""

    weak_blocks: Count
    strong_blocks: Count
    schedules: Annotated[tuple[Schedule, ...], Field(min_length=1)]
    strong_epochs: Annotated[tuple[Count, ...], Field(min_length=1)]
    weak_schedule: Schedule
    weak_epochs: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative

    def training(self, schedule: Schedule, epochs: int) -> Pretraining:
        """One pretraining of the grid."""
        return Pretraining(
            weak_blocks=self.weak_blocks,
            strong_blocks=self.strong_blocks,
            schedule=schedule,
            epochs=epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
        )

    def panels(self) -> dict[str, Panel]:
        """A panel for each strong pretraining."""
        return {
            f"{schedule}-{epochs}": Panel("weak_pretrained", f"{schedule}-{epochs}")
            for schedule in self.schedules
            for epochs in sorted(self.strong_epochs)
        }


class Settings(Block):
    """The settings of `synthetic` with a grid of pretrainings."""

    data: synthetic.Data
    represent: Grid
    weak: AdamW
    labels: synthetic.Labels
    strong: synthetic.Strong
    evaluate: synthetic.Evaluate


def represent(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """One weak pretraining a seed, and strong ones kept at several numbers of epochs.

    One item per seed: `weak_pretrained` and `<schedule>-<epochs>`.
    """
    data, grid = upstream["data"], settings.represent
    strong = {
        f"{unit(seed)}-{schedule}": (seed, schedule, data, grid, pool.checkpoint(f"{unit(seed)}-{schedule}"))
        for seed in settings.data.seeds
        for schedule in grid.schedules
    }
    training = grid.training(grid.weak_schedule, grid.weak_epochs)
    weak = {
        f"{unit(seed)}-weak": (seed, "weak", data, training, pool.checkpoint(f"{unit(seed)}-weak"))
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


def weak(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Teachers of every seed: `weak_pretrained` -> heads (tasks, width + 1)."""
    arguments = ("weak_pretrained", upstream["data"], upstream["represent"], settings.weak)
    fitted = pool.map(fit_teachers, {unit(seed): (seed, *arguments) for seed in settings.data.seeds})
    return {name: {"weak_pretrained": arrays["heads"]} for name, arrays in fitted.items()}


def strong(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students and ceilings of every seed over every strong pretraining."""
    bundles = (upstream["data"], upstream["represent"], upstream["labels"])
    panels, inputs = settings.represent.panels(), settings.labels.inputs
    return fit_all(settings.data.seeds, panels, inputs, bundles, settings.strong, pool)


def evaluate(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of panel b with the columns `schedule` and `epochs` of the strong pretraining, and their summary."""
    bundles = tuple(upstream[name] for name in ("data", "represent", "weak", "strong"))
    panels, inputs = settings.represent.panels(), settings.labels.inputs
    cells = measure_all(settings.data, settings.data.seeds, panels, settings.strong.heads, inputs, bundles, pool)
    schedules, epochs = zip(*cells["panel"].str.split("-"), strict=True)
    cells = cells.assign(panel="pretrained", schedule=schedules, epochs=[int(text) for text in epochs])
    return {"cells": cells, "metrics": by_unit(cells, "seed", KEYS, settings.evaluate.confidence)}
