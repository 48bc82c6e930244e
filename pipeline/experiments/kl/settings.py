"""Settings of the kl experiment; defaults live in params.yaml, sources of each number in DEVIATIONS.md."""

from typing import Annotated

from pydantic import Field, model_validator

from pipeline.core.config import AdamW, Block, Count, Fraction, NonNegative, Positive, Seed
from pipeline.experiments.synthetic.settings import Inputs, Perturbation


class Further(Block):
    """Further pretrainings, each with fewer tasks and without curves: a claim is judged over seeds."""

    seeds: tuple[Seed, ...]
    tasks: Annotated[int, Field(ge=3)]


class Data(Block):
    """Truth network, tasks and sample sizes; how the truth's logits are scaled and its probabilities floored."""

    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    further: Further
    input_dimension: Count
    width: Count
    classes: Annotated[int, Field(ge=2)]
    truth_blocks: Count
    input_deviation: Positive
    logit_deviation: Positive
    floor: Fraction
    mixture_concentration: Positive
    pretraining_tasks: Annotated[int, Field(ge=2)]
    pretraining_samples: Count
    tasks: Annotated[int, Field(ge=3)]
    samples: Annotated[int, Field(ge=32)]
    evaluation_samples: Annotated[int, Field(ge=32)]

    def every_seed(self) -> tuple[int, ...]:
        """All seeds, the further ones last."""
        return (*self.seeds, *self.further.seeds)

    @model_validator(mode="after")
    def _floor_below_uniform(self) -> "Data":
        if self.floor >= 1 / self.classes:
            raise ValueError(f"floor {self.floor:g} is not below 1/{self.classes}; lower it")
        return self


class Represent(AdamW):
    """Depths and pretraining of both representations, task after task in each epoch; perturbed ones (panel c)."""

    weak_blocks: Count
    strong_blocks: Count
    perturbation: Perturbation


class Exact(Block):
    """Solver of softmax heads and mixtures: units active on fewer points than `minimum_active` are left out."""

    minimum_active: Count
    tolerance: Positive
    maximum_steps: Count


class Weak(Exact):
    """How teachers are fitted, and for how many tasks a seed has control teachers."""

    control_tasks: Annotated[int, Field(ge=0)]


class Labels(Block):
    """Inputs that the teacher labels: those it was trained on (`reused`) or new ones (`fresh`)."""

    inputs: Annotated[tuple[Inputs, ...], Field(min_length=1)]


class Curves(Block):
    """Students trained by AdamW on few weak labels, noisy or over-confident ones, for a long time; pretrained panel."""

    tasks: Count
    samples: Count
    epochs: Annotated[tuple[Count, ...], Field(min_length=1)]
    learning_rates: Annotated[tuple[Positive, ...], Field(min_length=1)]
    noise: Annotated[tuple[Annotated[float, Field(ge=0, le=0.9)], ...], Field(min_length=1)]
    sharpening: Annotated[tuple[Positive, ...], Field(min_length=1)]
    batch_size: Count
    weight_decay: NonNegative


class Strong(Block):
    """How students and ceilings are fitted."""

    exact: Exact
    curves: Curves


class Evaluate(Block):
    """Bins of the calibration errors, delta of the finite-sample bound, and uncertainty in metrics.json."""

    bins: Count
    delta: Fraction
    confidence: Fraction


class Settings(Block):
    """The block `kl` of params.yaml."""

    data: Data
    represent: Represent
    weak: Weak
    labels: Labels
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _bins_below_samples(self) -> "Settings":
        if self.evaluate.bins > self.data.evaluation_samples:
            raise ValueError(
                f"evaluate.bins {self.evaluate.bins} exceeds {self.data.evaluation_samples} samples; lower it"
            )
        return self
