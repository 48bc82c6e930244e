"""The file studies/aligner.yaml, and which networks it asks for."""

from typing import Annotated, NamedTuple

from pydantic import Field, model_validator

from pipeline.core.config import Block, Count, Evaluate, Name, Positive, Seeds
from pipeline.models import sequences, worksheets

MODEL = "network"  # the strong model before finetuning, as the upstream of a corrector
DECODINGS = ("sampled", "greedy")


class Data(Block):
    """The language; questions of each part, all different; generators that the corrector learns from, and others."""

    seeds: Seeds
    language: worksheets.Language
    corrector: Count
    network: Count
    student: Count
    test: Count
    seen: Annotated[dict[Name, worksheets.Flaws], Field(min_length=1)]
    unseen: dict[Name, worksheets.Flaws]

    @property
    def parts(self) -> dict[str, int]:
        """Questions by part."""
        return {name: getattr(self, name) for name in ("corrector", "network", "student", "test")}

    @model_validator(mode="after")
    def _some_are_kept_out(self) -> "Data":
        if not self.unseen:
            raise ValueError("unseen is empty: no generator is kept out of the corrector's training; move one there")
        if both := self.seen.keys() & self.unseen.keys() | {MODEL} & {*self.seen, *self.unseen}:
            raise ValueError(f"generator {min(both)} has a name that is taken; give each its own (not {MODEL})")
        wanted, there = sum(self.parts.values()), self.language.exercises**self.language.length
        if 2 * wanted > there:  # rare ones would be drawn for ever
            raise ValueError(
                f"the parts want {wanted} different questions, more than half of the {there} that there are; lower a "
                "part or raise language.length"
            )
        return self


class Network(Block):
    """A transformer and its training."""

    network: sequences.Shape
    training: sequences.Training


class Weak(Network):
    """Corrector and direct answerer; sizes of their data; shares of steps that copy; corrections of a test answer."""

    sizes: Annotated[tuple[Count, ...], Field(min_length=1)]
    warmups: Annotated[tuple[Annotated[float, Field(ge=0, le=0.5)], ...], Field(min_length=1)]
    passes: Count

    @model_validator(mode="after")
    def _has_one_without(self) -> "Weak":
        if 0 not in self.warmups:
            raise ValueError("warmups lack 0, the corrector with which all others are compared; add it")
        return self


class Labels(Block):
    """How often the student's answers are corrected at most."""

    iterations: Count


class Strong(Block):
    """Finetuning; weights of the log-ratio in direct preference optimisation."""

    training: sequences.Training
    betas: Annotated[tuple[Positive, ...], Field(min_length=1)]


class Settings(Block):
    """The file studies/aligner.yaml."""

    data: Data
    represent: Network
    weak: Weak
    labels: Labels
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _has_the_data(self) -> "Settings":
        if max(self.weak.sizes) > self.data.corrector:
            raise ValueError(
                f"weak.sizes {max(self.weak.sizes)} exceeds the {self.data.corrector} questions of data.corrector; "
                "lower it or raise data.corrector"
            )
        if self.labels.iterations > self.weak.passes:
            raise ValueError(
                f"labels.iterations {self.labels.iterations} exceeds weak.passes {self.weak.passes}, with whose test "
                "answers students are compared; lower it or raise weak.passes"
            )
        return self


class Recipe(NamedTuple):
    """A small network: what it learns, from how many examples, and the share of steps of warm-up."""

    method: str
    size: int
    warmup: float

    @property
    def name(self) -> str:
        """As part of an item."""
        return f"{self.method}.{self.size}.{self.warmup:g}"


def recipes(weak: Weak) -> list[Recipe]:
    """Correctors by warm-up and by size, direct answerers by size, controls.  The first is without warm-up, on all."""
    most, *fewer = sorted(weak.sizes, reverse=True)
    found = [Recipe("corrector", most, share) for share in sorted(weak.warmups)]
    found += [Recipe("corrector", size, 0.0) for size in fewer] + [Recipe("direct", n, 0.0) for n in (most, *fewer)]
    return [*found, Recipe("random", most, 0.0), Recipe("identity", most, 0.0)]


def passes(recipe: Recipe, weak: Weak) -> range:
    """Iterations of correction of a test answer: only the first recipe has more than one."""
    return range(1, weak.passes + 1 if recipe == recipes(weak)[0] else 2)


def students(settings: Settings) -> list[str]:
    """Names `<method>.<iteration or beta>`."""
    iterated = [f"corrected.{iteration}" for iteration in range(1, settings.labels.iterations + 1)]
    return ["raw.", "likeliest.", *iterated, *(f"dpo.{beta:g}" for beta in settings.strong.betas), "random.", "gold."]
