"""Settings of the study; everything but the teachers is as in the molecules experiment."""

from typing import Annotated

from pydantic import Field

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

    inputs: for whose molecules teachers are made; the labels block may not ask for others.
    """

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
