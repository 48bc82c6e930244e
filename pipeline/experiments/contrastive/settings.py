"""Settings of ConG in a token grammar: the file studies/contrastive.yaml."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, model_validator

from pipeline.core.config import Block, Count, Evaluate, Fraction, Positive, Seeds
from pipeline.models import sequences

SHUFFLED = 0.5  # noise of the control: the better string of a pair is told by lot
Noise = Annotated[float, Field(ge=0, lt=SHUFFLED)]
Share = Annotated[float, Field(ge=0, le=1)]
Token = Annotated[int, Field(ge=0)]


class Data(Block):
    """The grammar (see models/grammar.py), its reward, and the prompts from which strings are continued."""

    seeds: Seeds
    words: Annotated[int, Field(ge=2)]
    kinds: Count
    successors: Count
    slips: Fraction
    preferred: Annotated[tuple[Token, ...], Field(min_length=1)]
    weight: Positive  # of the share of preferred tokens, in nats a token
    prompt: Annotated[int, Field(ge=2)]  # the grammar looks two tokens back
    length: Count  # tokens that follow a prompt
    teacher: Count  # prompts at which the weak model is aligned, the students are taught, and all are tested
    student: Count
    test: Count

    @property
    def prompts(self) -> int:
        """All prompts of a seed."""
        return self.teacher + self.student + self.test

    @model_validator(mode="after")
    def _what_the_words_allow(self) -> "Data":
        if max(self.preferred) >= self.words:
            raise ValueError(f"preferred token {max(self.preferred)} is not among the words 0 to {self.words - 1}")
        if len(self.preferred) == self.words:
            raise ValueError(f"all {self.words} words are preferred, so every string has the same share; drop some")
        if self.successors > self.words:
            raise ValueError(f"{self.successors} successors are more than the {self.words} words; lower successors")
        likely = self.words**2 * self.successors ** (self.prompt - 2)
        if 2 * self.prompts > likely:
            raise ValueError(
                f"{self.prompts} different prompts are more than half of the {likely} likely ones; lower teacher, "
                "student or test, or raise prompt"
            )
        return self


class Model(Block):
    """A transformer and its pretraining on strings of the grammar."""

    network: sequences.Shape
    training: sequences.Training


class Represent(Block):
    """Both models before alignment."""

    strong: Model
    weak: Model


class Weak(Block):
    """DPO of the weak model on the best and the worst of its samples a prompt; shares of pairs that are flipped."""

    noises: Annotated[tuple[Noise, ...], Field(min_length=1)]
    samples: Annotated[int, Field(ge=2)]
    temperature: Positive
    beta: Positive
    training: sequences.Training


class Labels(Block):
    """Contrastive decoding: the authors' alpha, all alphas looked at, those that teach a student.

    temperature: of all that is written for a student or by one; plain sampling of the teacher is looked at at others.
    """

    alpha: Share
    alphas: Annotated[tuple[Share, ...], Field(min_length=1)]
    taught: Annotated[tuple[Share, ...], Field(min_length=1)]
    plausible: Annotated[float, Field(gt=0, le=1)]
    temperature: Positive
    temperatures: Annotated[tuple[Positive, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _the_defaults_are_among_them(self) -> "Labels":
        if self.alpha not in self.taught:
            raise ValueError(f"taught lacks alpha {self.alpha}, whose student ConG goes on with; add it")
        if self.temperature not in self.temperatures:
            raise ValueError(f"temperatures lacks {self.temperature}, that of the teacher of all students; add it")
        return self


class Strong(Block):
    """Finetuning on strings; ConG's DPO; WSPO; the confidence loss; the ceiling, DPO as the weak model's.

    noise: of the weak model whose students are also taught in other ways, by cooled decoding and at other alphas.
    """

    imitation: sequences.Training
    beta: Positive
    preference: sequences.Training
    wspo_beta: Positive
    wspo: sequences.Training
    confidence: Fraction
    gold: sequences.Training
    noise: Noise


class Settings(Block):
    """The file studies/contrastive.yaml."""

    data: Data
    represent: Represent
    weak: Weak
    labels: Labels
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _variants_have_a_teacher(self) -> "Settings":
        if self.strong.noise not in self.weak.noises:
            raise ValueError(f"strong.noise {self.strong.noise} is not among weak.noises; take one of them")
        return self

    def units(self) -> Iterator[tuple[int, float]]:
        """Seeds and shares of flipped pairs, that of the control among them."""
        return ((seed, noise) for seed in self.data.seeds for noise in (*self.weak.noises, SHUFFLED))


def named(seed: int, noise: float) -> str:
    """Item of a seed and a noise of the pairs."""
    return f"seed-{seed}.noise-{noise:g}"
