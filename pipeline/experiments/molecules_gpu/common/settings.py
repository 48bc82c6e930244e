"""Settings of the study; data sets, students and measures are as in the molecules experiment."""

from typing import Literal, Self

from pydantic import model_validator

from pipeline.core.config import AdamW, Block, Count, Fraction, NonNegative, Positive, Seed
from pipeline.experiments.molecules.common import settings as molecules
from pipeline.experiments.molecules_study.common import settings as study
from pipeline.experiments.preferences.common.fields import File, Seeds


class Corpus(molecules.Corpus):
    """As on the laptop, but drawn from a larger file; what is also in a downstream set is left out."""

    source: File


class Data(molecules.Data):
    """As in the molecules experiment, with the larger corpus."""

    corpus: Corpus


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
    """Pretraining of the weak ladder, at the rate ``learning_rate / sqrt(hidden size)``, and of the strong model."""

    seeds: Seeds
    ladder: Pretraining
    strong: StrongModel


class Weak(Block):
    """Teachers: a head on every frozen rung, and the rungs finetuned whole."""

    frozen: AdamW
    finetuned: study.Weak


class Settings(Block):
    """The block `molecules_gpu` of params.yaml."""

    data: Data
    ladder: molecules.Ladder
    represent: Represent
    weak: Weak
    labels: molecules.Labels
    strong: molecules.Strong
    evaluate: molecules.Evaluate

    @model_validator(mode="after")
    def _rungs_of_the_ladder(self) -> Self:
        chosen = self.weak.finetuned
        for size in {*chosen.hidden_sizes, *chosen.few_labels.finetuning.hidden_sizes}:
            if size not in self.ladder.hidden_sizes:
                raise ValueError(f"weak.finetuned wants hidden size {size}, which ladder.hidden_sizes lacks; add it")
        if self.ladder.morgan_bits:
            raise ValueError("ladder.morgan_bits has no place in this study; leave it empty")
        return self
