"""Settings of the molecules experiment; values live in params.yaml, sources of each number in DEVIATIONS.md."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.core.config import AdamW, Block, Count, Evaluate, Fraction, NonNegative, Positive, Seed, Seeds
from pipeline.core.files import File

Dataset = Literal["esol", "freesolv", "lipop"]
Split = Literal["122", "123", "124"]
SHARES = {"train": 0.8, "valid": 0.1}  # of a random split, as ChemBench's; the rest is the test part
Inputs = Literal["same", "half"]
Head = Literal["adamw", "ball"]
Strongest = Literal["minimol", "hub", "pretrained"]
Revision = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class Corpus(Block):
    """Molecules that pretraining sees, none of them in a downstream set, and what it predicts of them."""

    source: File
    molecules: Count
    permute: bool
    rarest_token: Count
    descriptors: Annotated[tuple[str, ...], Field(min_length=1)]
    descriptor_clip: Positive


class Splits(Block):
    """ChemBench's own splits by seed, and how many random ones of ours there are beside them, named r0, r1, ..."""

    chembench: tuple[Split, ...]
    random: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if not self.names:
            raise ValueError("there is no split; name one under chembench or give random a number above 0")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, ChemBench's first."""
        return (*self.chembench, *(f"r{number}" for number in range(self.random)))

    def panel(self, name: str) -> str:
        """Which of the two kinds a split is."""
        return "chembench" if name in self.chembench else "random"


class Data(Block):
    """Data sets, splits, their files, and the seed of random splits and of the halves of training molecules."""

    datasets: Annotated[tuple[Dataset, ...], Field(min_length=1)]
    splits: Splits
    files: dict[Dataset | Literal["splits"], File]
    seed: Seed
    corpus: Corpus

    @model_validator(mode="after")
    def _has_its_files(self) -> Self:
        for name in (*self.datasets, "splits"):
            if name not in self.files:
                raise ValueError(f"files lack '{name}'; give its path and sha256")
        return self


class Ladder(Block):
    """Weak representations: SMILES transformers by hidden size, and hashed Morgan counts as a control.

    further_seeds: the hidden sizes that are pretrained with the seeds after the first, too.
    """

    hidden_sizes: Annotated[tuple[Count, ...], Field(min_length=1)]
    further_seeds: tuple[Count, ...]
    layers: Count
    attention_heads: Count
    morgan_bits: tuple[Count, ...]
    morgan_radius: Count

    @model_validator(mode="after")
    def _heads_share_the_hidden_size(self) -> Self:
        for size in self.hidden_sizes:
            if size % (2 * self.attention_heads):
                unit = 2 * self.attention_heads
                raise ValueError(f"hidden size {size} must be a multiple of {unit}, twice the attention heads")
        for size in self.further_seeds:
            if size not in self.hidden_sizes:
                raise ValueError(f"further_seeds holds {size}, which hidden_sizes {list(self.hidden_sizes)} lack")
        return self


class Hub(Block):
    """A model of the Hugging Face hub at the full hash of one revision."""

    model: Annotated[str, Field(min_length=1)]
    revision: Revision


class Represent(Block):
    """Which representation is the strong one, and how the weak ones are pretrained.

    The learning rate of a model is ``learning_rate / sqrt(hidden size)``.
    """

    ladder: Ladder
    strong: Strongest
    hub: Hub
    seeds: Seeds
    epochs: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative
    warmup: Fraction
    masked: Fraction


class Finetuning(Block):
    """Full finetuning for a fixed number of steps at the rate ``learning_rate / sqrt(hidden size)``."""

    hidden_sizes: Annotated[tuple[Count, ...], Field(min_length=1)]
    steps: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative


class FewFinetuned(Finetuning):
    """The same with the counts of labels for which it is done: finetuning costs a hundred times a frozen head."""

    counts: tuple[Annotated[int, Field(ge=2)], ...]


class FewLabels(Block):
    """Teachers that see few labels and no validation labels: frozen models by a head, small ones by finetuning.

    draws: how many of the first random splits have them, each with labels of its own.
    """

    draws: Count
    counts: tuple[Annotated[int, Field(ge=2)], ...]
    steps: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative
    finetuning: FewFinetuned


class Weak(Block):
    """Teachers beside the ridge heads on every rung, which have no setting.

    control_size: hidden size of the rung on which the control teachers stand, first seed, on random splits.
    """

    control_size: Count
    few_labels: FewLabels


class Labels(Block):
    """Whose molecules the teacher labels: its own (`same`) or the other half of them (`half`)."""

    inputs: Annotated[tuple[Inputs, ...], Field(min_length=1)]


class Strong(Block):
    """How students and ceilings are fitted: `ball` everywhere, `adamw` on ChemBench's splits (the paper's protocol)."""

    heads: Annotated[tuple[Head, ...], Field(min_length=1)]
    adamw: AdamW


class Settings(Block):
    """The block `molecules` of params.yaml."""

    data: Data
    represent: Represent
    weak: Weak
    labels: Labels
    strong: Strong
    evaluate: Evaluate
