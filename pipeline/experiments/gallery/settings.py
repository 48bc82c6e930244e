"""Sizes of the gallery's items, in studies/gallery.yaml; every number is ours, see DEVIATIONS.md."""

from typing import Annotated

from pydantic import Field, model_validator

from pipeline.core.config import Block, Count, Evaluate, Fraction, NonNegative, Positive, Seeds

Counts = Annotated[tuple[Count, ...], Field(min_length=1)]


class Subspaces(Block):
    """Intrinsic dimensions of teacher and student, directions they share, true labels and weak ones."""

    weak: Count
    strong: Count
    overlaps: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    gold: Count
    labels: Counts
    noise: Positive
    replicates: Count

    @model_validator(mode="after")
    def _sizes_hold(self) -> "Subspaces":
        if max(self.overlaps) > self.strong or self.strong > self.weak:
            raise ValueError(f"overlaps go up to strong {self.strong}, and strong up to weak {self.weak}")
        if min(self.labels) <= self.strong + 1 or self.gold <= self.weak + 1:
            raise ValueError(f"least squares needs labels above {self.strong + 1} and gold above {self.weak + 1}")
        return self


class RandomFeatures(Block):
    """Numbers of the teachers' features by kind; dimension of the sphere for ReLU features."""

    linear: Counts
    relu: Counts
    dimension: Annotated[int, Field(ge=4)]

    @model_validator(mode="after")
    def _features_fit(self) -> "RandomFeatures":
        if min(self.linear) < 2:
            raise ValueError(
                f"linear starts at {min(self.linear)}; M features need M^(3/2) - 1 >= M dimensions, so 2 at least"
            )
        return self


class Masking(Block):
    """Dimension p, samples below and above it, decays of spectrum and signal, coordinates kept (the last one all)."""

    dimension: Annotated[int, Field(ge=2)]
    samples: Counts
    decay: Positive
    signal_decay: Positive
    noise: NonNegative
    kept: Counts
    replicates: Count

    @model_validator(mode="after")
    def _both_regimes(self) -> "Masking":
        if self.kept[-1] != self.dimension or max(self.kept) > self.dimension:
            raise ValueError(
                f"kept ends with {self.kept[-1]}; let it rise to the dimension {self.dimension}: true labels"
            )
        if not min(self.samples) < self.dimension < max(self.samples) or self.dimension in self.samples:
            raise ValueError(f"samples need one n < p and one n > p, p = dimension = {self.dimension}")
        return self


class Expansion(Block):
    """A ring of places: radius of neighbourhoods, lengths of the teacher's stretches, its errors, the students."""

    places: Count
    radius: Count
    stretches: Counts
    errors: Annotated[tuple[Annotated[float, Field(gt=0, lt=0.5)], ...], Field(min_length=1)]
    uncovered: Fraction
    harmonics: Count
    samples: Count
    students: Count

    @model_validator(mode="after")
    def _blocks_fit(self) -> "Expansion":
        for length in self.stretches:
            if self.places % length or self.places // length < 5:
                raise ValueError(
                    f"stretches holds {length}; give divisors of places {self.places}, at most a fifth of it"
                )
        if self.samples <= 2 * self.harmonics + 1:
            raise ValueError(f"samples is {self.samples}; a student has {2 * self.harmonics + 1} weights, give it more")
        return self


class PosteriorMean(Block):
    """Teachers of a few true labels, how many of them a student is taught by, widths of students."""

    inputs: Count
    noise: NonNegative
    teachers: Annotated[int, Field(ge=2)]
    gold: Count
    features: Count
    averaged: Counts
    choices: Count
    widths: Counts
    student: Count
    test: Count

    @model_validator(mode="after")
    def _no_more_than_there_are(self) -> "PosteriorMean":
        if max(self.averaged) > self.teachers:
            raise ValueError(f"averaged goes up to {max(self.averaged)} of {self.teachers} teachers; lower it")
        return self


class Ensemble(Block):
    """Exponents of n: dimension p, spike q, count r; see spiked.py."""

    dimension: Positive
    spike: Positive
    count: Annotated[float, Field(ge=0)]


class Spiked(Block):
    """Worlds of teacher and student, bases n, exponents u of the number of weak labels, and errors that are shared."""

    weak: Ensemble
    strong: Ensemble
    bases: Annotated[tuple[Annotated[int, Field(ge=4)], ...], Field(min_length=1)]
    exponents: Annotated[tuple[Positive, ...], Field(min_length=1)]
    largest: Count  # number of weak labels that is run; larger n^u are left out
    shared: Fraction
    shared_base: Count
    replicates: Count

    @model_validator(mode="after")
    def _interpolates(self) -> "Spiked":
        for base in self.bases:
            labels = [base**u for u in self.exponents if base**u <= self.largest]
            if not labels or max(labels) > base**self.strong.dimension - base**self.strong.count - 2:
                raise ValueError(f"base {base}: an interpolator of n^u labels needs n^p above them; mind largest")
        if self.weak.dimension <= 1:
            raise ValueError(f"weak.dimension is {self.weak.dimension:g}; a teacher interpolates for p above 1")
        return self


class Data(Block):
    """All items."""

    seeds: Seeds
    subspaces: Subspaces
    random_features: RandomFeatures
    masking: Masking
    expansion: Expansion
    posterior_mean: PosteriorMean
    spiked: Spiked


class Settings(Block):
    """The file studies/gallery.yaml."""

    data: Data
    evaluate: Evaluate
