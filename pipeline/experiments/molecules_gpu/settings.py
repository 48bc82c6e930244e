"""Settings of the study; data sets, students and measures are as in the molecules experiment."""

from typing import Literal, Self

from pydantic import model_validator

from pipeline.core.config import AdamW, Block, Count, Fraction, NonNegative, Positive, Seed, Seeds
from pipeline.experiments import molecules_study as study
from pipeline.experiments.molecules import settings as molecules


class Pretraining(Block):
    """Recipe of pretraining; clip: largest gradient norm, 0 for none."""

    epochs: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative
    warmup: Fraction
    masked: Fraction
    clip: NonNegative
    precision: Literal["float32", "bfloat16"]


class StrongModel(Block):
    """The strong transformer; its learning rate is meant as it stands."""

    hidden: Count
    layers: Count
    attention_heads: Count
    inner: Count
    seed: Seed
    pretraining: Pretraining

    @model_validator(mode="after")
    def _heads_share_the_hidden_size(self) -> Self:
        if self.hidden % (2 * self.attention_heads):
            unit = 2 * self.attention_heads
            raise ValueError(f"hidden {self.hidden} must be a multiple of {unit}, twice the attention heads")
        return self


class Represent(Block):
    """The weak ladder and its pretraining, at the rate ``learning_rate / sqrt(hidden size)``; the strong model."""

    ladder: molecules.Ladder
    seeds: Seeds
    pretraining: Pretraining
    strong: StrongModel


class Weak(Block):
    """Teachers: a head on every frozen rung, and the rungs finetuned whole."""

    frozen: AdamW
    finetuned: study.Weak


class Settings(Block):
    """Settings of a ladder with teachers of both kinds."""

    data: molecules.Data
    represent: Represent
    weak: Weak
    labels: molecules.Labels
    strong: molecules.Strong
    evaluate: molecules.Evaluate

    @model_validator(mode="after")
    def _rungs_of_the_ladder(self) -> Self:
        self.weak.finetuned.check(self.represent.ladder)
        if self.represent.ladder.morgan_bits:
            raise ValueError("represent.ladder.morgan_bits has no place in this study; leave it empty")
        return self
