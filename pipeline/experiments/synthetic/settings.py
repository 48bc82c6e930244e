"""Settings of the synthetic experiment; defaults live in params.yaml, sources of each number in DEVIATIONS.md."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.config import AdamW, Block, Count, Evaluate, Fraction, NonNegative, Positive, Seed

Inputs = Literal["fresh", "reused"]
Head = Literal["adamw", "exact"]
Schedule = Literal["sequential", "joint"]


class Data(Block):
    """Truth network, tasks and sample sizes.

    further_seeds: run with the first head on the first inputs alone, without controls: claims are judged over seeds.
    """

    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    further_seeds: tuple[Seed, ...]
    input_dimension: Count
    width: Count
    truth_blocks: Count
    input_deviation: Positive
    pretraining_tasks: Count
    pretraining_samples: Count
    tasks: Annotated[int, Field(ge=3)]
    samples: Annotated[int, Field(ge=32)]
    evaluation_samples: Annotated[int, Field(ge=32)]

    def every_seed(self) -> tuple[int, ...]:
        """All seeds, those of every panel first."""
        return (*self.seeds, *self.further_seeds)


class Pretraining(AdamW):
    """Depths and pretraining of the weak and the strong representation."""

    weak_blocks: Count
    strong_blocks: Count
    schedule: Schedule


class Perturbation(Block):
    """Standard deviation of the Gaussian noise put on the truth's parameters (panel c)."""

    weak_sigma: NonNegative
    strong_sigma: NonNegative
    biases: bool


class Represent(Pretraining):
    """Pretrained representations (panel b, the weak one of a) and perturbed ones (panel c)."""

    perturbation: Perturbation


class Weak(AdamW):
    """How teachers are fitted, and for how many tasks a seed has control teachers."""

    control_tasks: Annotated[int, Field(ge=0)]


class Labels(Block):
    """Inputs that the teacher labels: those it was trained on (`reused`) or new ones (`fresh`)."""

    inputs: Annotated[tuple[Inputs, ...], Field(min_length=1)]


class Exact(Block):
    """Empirical minimiser in float64: units active on fewer points than `minimum_active` are left out."""

    minimum_active: Count
    relative_condition: Fraction


class Strong(Block):
    """How students and ceilings are fitted."""

    heads: Annotated[tuple[Head, ...], Field(min_length=1)]
    adamw: AdamW
    exact: Exact


class Settings(Block):
    """The block `synthetic` of params.yaml."""

    data: Data
    represent: Represent
    weak: Weak
    labels: Labels
    strong: Strong
    evaluate: Evaluate
