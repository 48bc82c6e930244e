"""Settings of the study; everything but the teachers is as in the molecules experiment."""

from typing import Annotated

from pydantic import Field, model_validator

from pipeline.core.config import Block, Count, NonNegative, Positive
from pipeline.experiments.molecules.common.settings import (
    Data,
    Evaluate,
    Finetuning,
    Inputs,
    Labels,
    Ladder,
    Represent,
    Strong,
)


class FewLabels(Block):
    """Teachers that see few labels, finetuned for a fixed number of steps."""

    counts: tuple[Annotated[int, Field(ge=2)], ...]
    finetuning: Finetuning


class Weak(Block):
    """Full finetuning at the rate ``learning_rate / sqrt(hidden size)``, stopped early on the validation part.

    hidden_sizes: which rungs of the ladder become teachers with all labels.
    inputs: for whose molecules teachers are made; the labels block may not ask for others.
    """

    hidden_sizes: Annotated[tuple[Count, ...], Field(min_length=1)]
    inputs: Annotated[tuple[Inputs, ...], Field(min_length=1)]
    epochs: Count
    patience: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative
    few_labels: FewLabels


class Settings(Block):
    """The block `molecules_study` of params.yaml."""

    data: Data
    ladder: Ladder
    represent: Represent
    weak: Weak
    labels: Labels
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _rungs_of_the_ladder(self) -> "Settings":
        for size in {*self.weak.hidden_sizes, *self.weak.few_labels.finetuning.hidden_sizes}:
            if size not in self.ladder.hidden_sizes:
                raise ValueError(f"weak wants hidden size {size}, which ladder.hidden_sizes lacks; add it there")
        return self
