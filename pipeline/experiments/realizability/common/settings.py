"""Settings of the study; everything but the grid of strong pretrainings is as in the synthetic experiment."""

from typing import Annotated

from pydantic import Field

from pipeline.core.config import AdamW, Block, Count, NonNegative, Positive
from pipeline.experiments.synthetic.common.panels import Panel
from pipeline.experiments.synthetic.common.settings import Data, Evaluate, Labels, Represent, Schedule, Strong


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

    def training(self, schedule: Schedule, epochs: int) -> Represent:
        """One pretraining of the grid."""
        return Represent(
            weak_blocks=self.weak_blocks,
            strong_blocks=self.strong_blocks,
            schedule=schedule,
            epochs=epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
        )

    def panels(self) -> dict[str, Panel]:
        """A panel for each strong pretraining, named `<schedule>-<epochs>`."""
        return {
            f"{schedule}-{epochs}": Panel("weak_pretrained", f"{schedule}-{epochs}")
            for schedule in self.schedules
            for epochs in sorted(self.strong_epochs)
        }


class Settings(Block):
    """The block `realizability` of params.yaml."""

    data: Data
    represent: Grid
    weak: AdamW
    labels: Labels
    strong: Strong
    evaluate: Evaluate
