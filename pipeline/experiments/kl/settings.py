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
    """Truth network, tasks and sample sizes; how the truth's logits are scaled and its probabilities floored.

    The last `boundary_tasks` truths of the convex class are single experts, vertices of it.
    """

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
    boundary_tasks: Annotated[int, Field(ge=0)]
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

    @model_validator(mode="after")
    def _tasks_inside_the_class(self) -> "Data":
        fewest = min(self.tasks, self.further.tasks)
        if self.boundary_tasks > fewest - 2:
            raise ValueError(f"boundary_tasks {self.boundary_tasks} leave less than 2 of {fewest} tasks; lower it")
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
    """Bins of the calibration errors, floors at which the bound is looked at as well, uncertainty in metrics.json."""

    bins: Count
    floors: tuple[Fraction, ...]
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
    def _floors_are_raised(self) -> "Settings":
        for floor in self.evaluate.floors:
            if not self.data.floor < floor < 1 / self.data.classes:
                between = f"between data.floor {self.data.floor:g} and 1/{self.data.classes}"
                raise ValueError(f"evaluate.floors holds {floor:g}; give floors {between}")
        return self

    @model_validator(mode="after")
    def _bins_below_samples(self) -> "Settings":
        half = self.data.evaluation_samples // 2  # which fits temperatures; the other measures what they leave
        if self.evaluate.bins > half:
            raise ValueError(f"evaluate.bins {self.evaluate.bins} exceeds half of the samples, {half}; lower it")
        return self
