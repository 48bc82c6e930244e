"""Settings of the study `bregman`, and the worlds that they span; sources of each number in DEVIATIONS.md."""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from pipeline.core.config import Block, Count, Fraction, NonNegative, Positive, Seed, Seeds

Share = Annotated[float, Field(ge=0, le=1)]
Shares = Annotated[tuple[Share, ...], Field(min_length=1)]
Classes = Annotated[int, Field(ge=2)]
Counts = Annotated[tuple[Count, ...], Field(min_length=1)]
DIGITS, DIGIT_CLASSES = 1797, 10


class World(NamedTuple):
    """One truth with its teacher: of which kind, how many classes, which share of the truth is out of reach."""

    kind: str  # hull, synthetic, digits
    classes: int
    outside: float
    seed: int

    @property
    def name(self) -> str:
        """Its item in every bundle."""
        return f"{self.kind}-c{self.classes}-o{self.outside:g}-s{self.seed}"


class Hull(Block):
    """Mixtures of fixed experts, a convex class: every generator, solved exactly on the points themselves."""

    experts: Annotated[int, Field(ge=2)]
    points: Annotated[int, Field(ge=2)]
    classes: Annotated[tuple[Classes, ...], Field(min_length=1)]
    outside: Shares


class Synthetic(Block):
    """Gaussian inputs; the truth is a head on the strong features, or in part one on features of its own."""

    inputs: Annotated[int, Field(ge=2)]
    features: Count  # random ReLU features of the student, on which the truth within reach is a head
    points: Count  # of the teacher, and as many of the student
    test: Count
    deviation: Positive  # of the logits of the truth
    classes: Classes
    other_classes: tuple[Classes, ...]  # with a truth within reach alone
    outside: Shares


class Digits(Block):
    """scikit-learn's digits over random splits; the rest is the test set."""

    splits: Count
    seed: Seed
    teacher: Count
    student: Count
    pixels: Annotated[int, Field(ge=1, le=64)]  # that the teacher sees

    @model_validator(mode="after")
    def _leaves_a_test_set(self) -> "Digits":
        if self.teacher + self.student > DIGITS - 100:
            raise ValueError(f"teacher and student use {self.teacher + self.student} of {DIGITS}; leave 100 for a test")
        return self


class Data(Block):
    """The three kinds of worlds."""

    seeds: Seeds
    hull: Hull
    synthetic: Synthetic
    digits: Digits

    def worlds(self) -> Iterator[World]:
        """All worlds, seed by seed."""
        for seed in self.seeds:
            yield from (World("hull", c, o, seed) for c in self.hull.classes for o in self.hull.outside)
            yield from (World("synthetic", self.synthetic.classes, o, seed) for o in self.synthetic.outside)
            yield from (World("synthetic", c, 0.0, seed) for c in self.synthetic.other_classes)
        yield from (World("digits", DIGIT_CLASSES, 0.0, split) for split in range(self.digits.splits))


class Represent(Block):
    """Random ReLU features of the teacher's part of the inputs, and of the digits for the student."""

    weak: Count
    digits: Count


class Training(Block):
    """AdamW in minibatches, the rate falling to 0."""

    steps: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative


class Strong(Training):
    """How many heads a student mixes: in the main worlds, by the other loss, and in those of other class counts."""

    heads: Counts
    forward_heads: Counts
    other_heads: Counts


class Evaluate(Block):
    """Uncertainty in metrics.json."""

    confidence: Fraction


class Settings(Block):
    """The file studies/bregman.yaml."""

    data: Data
    represent: Represent
    weak: Training
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _batches_are_no_larger_than_the_sample(self) -> "Settings":
        least = min(self.data.synthetic.points, self.data.digits.teacher, self.data.digits.student)
        for verb, batch in (("weak", self.weak.batch_size), ("strong", self.strong.batch_size)):
            if batch > least:
                raise ValueError(f"{verb}.batch_size {batch} exceeds the smallest sample, {least}; lower it")
        return self

    def students(self, world: World) -> Iterator[tuple[Literal["reverse_kl", "forward_kl"], int]]:
        """Loss and number of heads of each student of a world."""
        main = world.kind == "digits" or world.classes == self.data.synthetic.classes
        heads = self.strong.heads if main else self.strong.other_heads
        yield from (("reverse_kl", k) for k in heads)
        if main:
            yield from (("forward_kl", k) for k in self.strong.forward_heads)
