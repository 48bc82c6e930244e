"""Settings of the digits experiment; defaults live in params.yaml, sources of each number in DEVIATIONS.md."""

from typing import Annotated

from pydantic import Field, model_validator

from pipeline.core.config import AdamW, Block, Count, Fraction, NonNegative, Positive, Seed

PIXELS, CLASSES, IMAGES = 64, 10, 1797


class Data(Block):
    """Random splits: images for the teacher, for its calibration, for the student, its validation; the rest is test."""

    seed: Seed
    splits: Count
    teacher: Count
    calibration: Annotated[int, Field(ge=20)]
    student: Annotated[int, Field(ge=32)]
    validation: Annotated[int, Field(ge=20)]
    floor: Annotated[float, Field(gt=0, lt=1 / CLASSES)]

    @model_validator(mode="after")
    def _leaves_a_test_set(self) -> "Data":
        if self.test < 100:
            raise ValueError(
                f"{IMAGES - self.test} of {IMAGES} images are used before the test set; leave at least 100"
            )
        return self

    @property
    def test(self) -> int:
        """Images left for the test set."""
        return IMAGES - self.teacher - self.calibration - self.student - self.validation


class Teacher(Block):
    """A weak teacher: how many random pixels it sees, of how many hidden units it is made (0: none), its labels."""

    pixels: Annotated[int, Field(ge=1, le=PIXELS)]
    units: Annotated[int, Field(ge=0)]
    labels: Annotated[int, Field(ge=CLASSES)]


class Represent(Block):
    """Widths of the strong representations: random ReLU features of all pixels, which have seen no label."""

    widths: Annotated[tuple[Count, ...], Field(min_length=1)]
    teachers: Annotated[dict[str, Teacher], Field(min_length=1)]


class Labels(Block):
    """Weak labels made noisy or over-confident; temperature scaling is always run beside them."""

    noise: Annotated[tuple[Annotated[float, Field(ge=0, le=0.9)], ...], Field(min_length=1)]
    sharpening: Annotated[tuple[Positive, ...], Field(min_length=1)]


class Experts(AdamW):
    """Fixed experts of the convex class: strong heads, each trained on a few true labels of the teacher's part."""

    count: Annotated[int, Field(ge=2)]
    labels: Count


class Strong(Block):
    """Students by AdamW with snapshots, and projections on the mixtures."""

    epochs: Annotated[tuple[Count, ...], Field(min_length=1)]
    learning_rates: Annotated[tuple[Positive, ...], Field(min_length=1)]
    batch_size: Count
    weight_decay: NonNegative
    experts: Experts
    tolerance: Positive
    maximum_steps: Count


class Evaluate(Block):
    """Bins of the calibration errors, floors at which the bound is looked at as well, uncertainty in metrics.json."""

    bins: Count
    floors: tuple[Annotated[float, Field(gt=0, lt=1 / CLASSES)], ...]
    confidence: Fraction


class Settings(Block):
    """The block `digits` of params.yaml."""

    data: Data
    represent: Represent
    weak: AdamW
    labels: Labels
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _bins_below_samples(self) -> "Settings":
        if self.evaluate.bins > self.data.test:
            raise ValueError(f"evaluate.bins {self.evaluate.bins} exceeds {self.data.test} test images; lower it")
        return self

    @model_validator(mode="after")
    def _floors_are_raised(self) -> "Settings":
        for floor in self.evaluate.floors:
            if floor <= self.data.floor:
                raise ValueError(f"evaluate.floors holds {floor:g}; give floors above data.floor {self.data.floor:g}")
        return self
