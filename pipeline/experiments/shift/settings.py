"""Settings of the study `shift` and of those that share its students; sources of each number in DEVIATIONS.md."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.core.config import Block, Count, Fraction, Name, NonNegative, Positive, Seed, Seeds, Word
from pipeline.models import corruptions

Share = Annotated[float, Field(ge=0, le=1)]
Passed = Annotated[float, Field(gt=0, le=1)]
Easy = Annotated[float, Field(ge=0, lt=1)]  # E0, a share of the epochs


def _corruption(name: str) -> str:
    corruptions.parsed(name)
    return name


def a_pool(teachers: tuple[Any, ...]) -> tuple[Any, ...]:
    """Teachers, two at least: of one there is nothing to weigh."""
    if len(teachers) < 2:
        raise ValueError("fewer than two teachers are no pool; name at least one more")
    return teachers


Pool = AfterValidator(a_pool)
Corruption = Annotated[str, AfterValidator(_corruption)]
Corruptions = Annotated[tuple[Corruption, ...], Field(min_length=1)]


class World(NamedTuple):
    """A pool of teachers and the domain on which a student meets their labels."""

    panel: str  # synthetic, images, preferences
    domain: str
    shift: Literal["in", "out"]  # whether the domain is one of the teachers' own
    seed: int

    @property
    def name(self) -> str:
        """Its item in every bundle."""
        return f"{self.panel}-{self.domain}-s{self.seed}"


class Case(Block):
    """Teachers whose domains have a spurious feature, and where the student is."""

    strengths: Annotated[tuple[Share, ...], Pool]  # of the feature in each teacher's domain: rho
    core: Positive  # norm of a class's mean in the coordinates that tell it
    spurious: Positive  # norm of the spurious feature's
    target: Literal["source", "shifted"]


class Synthetic(Block):
    """Gaussian classes; a teacher sees some of the core's coordinates and the whole spurious feature."""

    classes: Annotated[int, Field(ge=2)]
    core: Count  # coordinates
    spurious: Count
    seen: Count  # of the core, by each teacher
    source: Count  # true labels of each teacher
    student: Count
    test: Count
    cases: Annotated[dict[Name, Case], Field(min_length=1)]

    @model_validator(mode="after")
    def _no_more_seen_than_there_are(self) -> "Synthetic":
        if self.seen > self.core:
            raise ValueError(f"seen is {self.seen}, more than the {self.core} coordinates of core; lower it")
        return self


class Domain(Block):
    """A domain on which the student is: each image is under one of these, drawn evenly."""

    corruptions: Corruptions
    shift: Literal["in", "out"]


class Images(Block):
    """A set of images over random splits; the rest is the test set."""

    set: Literal["digits"]
    splits: Count
    seed: Seed
    source: Count  # true labels of each teacher
    student: Count
    teachers: Annotated[tuple[Corruption, ...], Pool]  # the slice of each
    domains: Annotated[dict[Name, Domain], Field(min_length=1)]


class Data(Block):
    """The synthetic domains and the images."""

    seeds: Seeds
    synthetic: Synthetic
    images: Images


class Represent(Block):
    """Random ReLU features of images, and the share of the core that the middle model of a chain sees."""

    weak: Count
    middle: Count
    strong: Count
    middle_core: Share


class Training(Block):
    """Adam in minibatches, the rate falling to 0 along a cosine."""

    epochs: Count
    batch_size: Count
    learning_rate: Positive


class Weak(Block):
    """How teachers are trained, by panel."""

    training: dict[Word, Training]


class Labels(Block):
    """What the pool's labels are: probabilities, or the classes that they say."""

    kind: Literal["soft", "hard"]


class Strong(Block):
    """Students.  rate, easy: of RAVEN's weights; rates, shares: its ablations.  start: by panel, weights not even."""

    training: dict[Word, Training]
    rate: NonNegative
    easy: Easy
    rates: Annotated[tuple[NonNegative, ...], Field(min_length=1)]
    shares: Annotated[tuple[Easy, ...], Field(min_length=1)]
    followed: Annotated[
        tuple[Passed, ...], Field(min_length=1)
    ]  # shares of the epochs after which weights are measured
    start: dict[Word, tuple[float, ...]]

    @model_validator(mode="after")
    def _starts_on_the_simplex(self) -> "Strong":
        for panel, weights in self.start.items():
            if not (min(weights, default=-1) >= 0 and abs(sum(weights) - 1) <= 1e-6):  # nor NaN
                raise ValueError(
                    f"start.{panel} is {list(weights)}, which is off the simplex; give weights of at least 0 whose "
                    "sum is 1, or drop the key: then all teachers weigh the same"
                )
        return self

    def epochs_followed(self, panel: str) -> list[int]:
        """Epochs of a panel after which weights are measured."""
        return sorted({max(1, round(share * self.training[panel].epochs)) for share in self.followed})


class Evaluate(Block):
    """Floor of the divergences; uncertainty in metrics.json."""

    floor: Annotated[float, Field(gt=0, lt=0.01)]
    confidence: Fraction


class Shared(Block):
    """What any study of these students has beside its own data and views."""

    weak: Weak
    labels: Labels
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _training_and_start_are_of_the_worlds(self) -> Self:
        for world in self.worlds():
            for verb, block in (("weak", self.weak), ("strong", self.strong)):
                if world.panel not in block.training:
                    raise ValueError(f"{verb}.training has no {world.panel}; add it")
            given, names = self.strong.start.get(world.panel), self.teachers(world)
            if given is not None and len(given) != len(names):
                raise ValueError(
                    f"strong.start.{world.panel} has {len(given)} weights for the {len(names)} teachers of "
                    f"{world.domain}; give one each"
                )
        panels = {world.panel for world in self.worlds()}
        for panel in self.strong.start:
            if panel not in panels:
                known = ", ".join(sorted(panels))
                raise ValueError(f"strong.start has {panel}, which is no panel; choose from {known}")
        return self

    def worlds(self) -> Iterator[World]:
        """All worlds."""
        raise NotImplementedError

    def teachers(self, world: World) -> tuple[str, ...]:
        """Names of a world's teachers."""
        raise NotImplementedError


class Settings(Shared):
    """The file studies/shift.yaml."""

    data: Data
    represent: Represent

    def worlds(self) -> Iterator[World]:
        """All worlds: synthetic ones a seed, images a split."""
        synthetic, images = self.data.synthetic.cases, self.data.images
        for name, case in synthetic.items():
            inside: Literal["in", "out"] = "in" if case.target == "source" else "out"
            yield from (World("synthetic", name, inside, seed) for seed in self.data.seeds)
        for name, domain in images.domains.items():
            yield from (World("images", name, domain.shift, split) for split in range(images.splits))

    def teachers(self, world: World) -> tuple[str, ...]:
        """Spurious strength or corruption of each teacher's own domain."""
        if world.panel == "images":
            return self.data.images.teachers
        return tuple(f"spurious {strength:g}" for strength in self.data.synthetic.cases[world.domain].strengths)
