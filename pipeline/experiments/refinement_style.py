"""Content and style in a token language: does refinement keep the strong model's facts and take over the style?

An item is four tokens: question, opening, answer, closing.  A document's items share a style, which decides its
openings and closings; the answer is the question's fact.  The strong model is pretrained on documents of all styles,
most of them plain, and asked without context it answers plainly.  The teacher knows the wanted style and few facts.
In the panel `mixed` a share of the documents comes from authors who know no more facts than the teacher: then the
teacher's ignorance is one of the source's own concepts.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from pydantic import Field, model_validator
from torch import nn

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.config import Block, Count, Evaluate, Fraction, NonNegative, Seeds, Word
from pipeline.core.parallel import Pool
from pipeline.experiments.refined import WeakPairs, means, row, told, within_training
from pipeline.models import sequences
from pipeline.summary.metrics import nested

Array = np.ndarray
KEYS = ("method", "n_icl", "eta", "questions")
ESTIMATES = ("transformers pretrained and finetuned with torch, where rounding grows",)
ITEM, VARIANTS = 4, 2  # tokens of an item; openings, and closings, of each style
PLAIN, WANTED = 0, 1  # styles: the first is that of most documents


class Data(Block):
    """The language: questions with a fact each, one of ``answers``; half of the questions are the students'."""

    seeds: Seeds
    questions: Annotated[int, Field(ge=4)]
    answers: Annotated[int, Field(ge=2)]
    styles: Annotated[int, Field(ge=2)]
    plain: Fraction  # share of documents in the plain style; the others are equal
    known: Fraction  # share of facts that the teacher, and an ignorant author, knows

    @property
    def vocabulary(self) -> int:
        """Questions, answers, openings, closings."""
        return self.questions + self.answers + 2 * VARIANTS * self.styles


class Represent(Block):
    """The strong model; panels by the share of documents whose authors are ignorant; examples before the last item."""

    network: sequences.Shape
    panels: Annotated[dict[Word, Annotated[float, Field(ge=0, lt=1)]], Field(min_length=1)]
    examples: Count
    training: sequences.Training


class Weak(Block):
    """The teacher, trained on single items of the wanted style."""

    network: sequences.Shape
    training: sequences.Training


class Labels(Block):
    """Weak examples in context; labelled items of a student, several a question; contexts a question without one."""

    n_icl: WeakPairs
    items: Count
    contexts: Count


class Strong(Block):
    """Finetuning; strengths of KL to the un-tuned model; weight of the confidence loss."""

    training: sequences.Training
    etas: Annotated[tuple[NonNegative, ...], Field(min_length=1)]
    confidence: Fraction


class Settings(Block):
    """The file studies/refinement_style.yaml."""

    data: Data
    represent: Represent
    weak: Weak
    labels: Labels
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _within_the_trained_context(self) -> "Settings":
        within_training(max(self.labels.n_icl), self.represent.examples, "examples", self.data.questions, parts=2)
        return self


class Language:
    """Items of one seed: facts (questions,), what the ignorant take for them, which questions are the students'."""

    def __init__(self, data: Data, drawn: Arrays) -> None:
        self.data, self.facts, self.errors = data, drawn["facts"], drawn["errors"]
        self.seen = np.arange(data.questions) < data.questions // 2

    def answer(self, choice: Array) -> Array:
        """Token of an answer."""
        return self.data.questions + choice

    def mark(self, style: Array | int, closing: int, variant: Array) -> Array:
        """Token that opens (0) or closes (1) an item in a style."""
        return self.data.questions + self.data.answers + (np.asarray(style) * 2 + closing) * VARIANTS + variant

    def items(self, stream: np.random.Generator, questions: Array, style: Array | int, ignorant: Array | bool) -> Array:
        """Items (..., 4) for questions (...)."""
        choice = np.where(ignorant, self.errors[questions], self.facts[questions])
        variants = stream.integers(VARIANTS, size=(2, *questions.shape))
        marks = [self.mark(style, closing, variants[closing]) for closing in (0, 1)]
        return np.stack([questions, marks[0], self.answer(choice), marks[1]], axis=-1)

    def scores(self, items: Array) -> Array:
        """Content and style (2, ...) of items (..., 4): the right fact; opening and closing of the wanted style."""
        content = items[..., 2] == self.answer(self.facts[items[..., 0]])
        marks = [np.isin(items[..., 1 + 2 * end], self.mark(WANTED, end, np.arange(VARIANTS))) for end in (0, 1)]
        return np.stack([content, marks[0] & marks[1]]).astype(np.float64)


def data(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By seed: facts (questions,) and errors (questions,), in which a share `known` of the facts is right."""
    return {f"seed-{seed}": drawn(seed, settings.data) for seed in settings.data.seeds}


def drawn(seed: int, data: Data) -> Arrays:
    """The facts of one seed."""
    stream = streams.generator(seed, "refinement_style/facts")
    facts = stream.integers(data.answers, size=data.questions)
    wrong = (facts + stream.integers(1, data.answers, size=data.questions)) % data.answers
    ranks = np.argsort(np.argsort(stream.random((2, data.questions // 2)), axis=1), axis=1).reshape(-1)
    known = np.resize(ranks, data.questions) < data.known * (data.questions // 2)  # the same share of either half
    return {"facts": facts, "errors": np.where(known, facts, wrong)}


def represent(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Pretrain a strong model for every seed and panel, `<seed>.<panel>`."""
    panels = settings.represent.panels.items()
    units = {
        f"seed-{s}.{p}": (s, share, settings, upstream["data"]) for s in settings.data.seeds for p, share in panels
    }
    return pool.map(learn, units)


def learn(seed: int, ignorant: float, settings: Settings, data: Mapping[str, Arrays]) -> Arrays:
    """Weights of the strong model, trained on the next token of documents."""
    language, own = Language(settings.data, data[f"seed-{seed}"]), settings.represent
    model, stream = network(seed, settings), streams.generator(seed, f"refinement_style/documents/{ignorant:g}")

    def loss(step: int) -> torch.Tensor:
        return next_token(model, documents(stream, language, own.training.batch_size, own.examples + 1, ignorant))

    losses = sequences.train(model, loss, own.training)
    return {**sequences.weights(model), "losses": np.array(losses)}


def documents(stream: np.random.Generator, language: Language, count: int, length: int, ignorant: float) -> Array:
    """Tokens (count, length * 4) of documents of items with different questions."""
    data = language.data
    rare = (1 - data.plain) / (data.styles - 1)
    styles = stream.choice(data.styles, size=(count, 1), p=[data.plain, *[rare] * (data.styles - 1)])
    authors = stream.random((count, 1)) < ignorant
    questions = np.argsort(stream.random((count, data.questions)), axis=1)[:, :length]
    return language.items(stream, questions, styles, authors).reshape(count, -1)


def network(seed: int, settings: Settings) -> sequences.Sequences:
    """The strong model before pretraining."""
    words, shape = settings.data.vocabulary, settings.represent
    return sequences.made(seed, shape.network, ITEM * (shape.examples + 1), words, words)


def next_token(model: sequences.Sequences, tokens: Array) -> torch.Tensor:
    """Mean cross-entropy of what follows a question: a question is given, not foretold."""
    target = torch.from_numpy(tokens[:, 1:].copy())
    target[:, ITEM - 1 :: ITEM] = -100
    return nn.functional.cross_entropy(
        sequences.logits(model, tokens[:, :-1]).flatten(0, 1), target.flatten(), ignore_index=-100
    )


def written(model: sequences.Sequences, context: Array, questions: Array) -> Array:
    """Items (count, 4) that the model writes greedily after contexts (count, tokens) for questions (count,)."""
    asked = np.concatenate([context, questions[:, None]], axis=1)
    return sequences.continued(model, asked, ITEM - 1)[:, -ITEM:]


def weak(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By seed: what the teacher writes for every question, (questions, 4)."""
    units = {f"seed-{seed}": (seed, settings, upstream["data"]) for seed in settings.data.seeds}
    return pool.map(teach, units)


def teach(seed: int, settings: Settings, data: Mapping[str, Arrays]) -> Arrays:
    """Train a small network on single items of the wanted style with the facts that it holds for true."""
    language, own = Language(settings.data, data[f"seed-{seed}"]), settings.weak
    words, stream = settings.data.vocabulary, streams.generator(seed, "refinement_style/teacher")
    model = sequences.made(seed, own.network, ITEM, words, words)

    def loss(step: int) -> torch.Tensor:
        questions = stream.integers(settings.data.questions, size=own.training.batch_size)
        return next_token(model, language.items(stream, questions, WANTED, True))

    sequences.train(model, loss, own.training)
    every = np.arange(settings.data.questions)
    return {"items": written(model, np.zeros((len(every), 0), np.int64), every)}


def labels(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By seed and panel: items for the students' questions; answers in context; see ``refine``."""
    bundles = (settings, upstream["data"], upstream["represent"], upstream["weak"])
    return pool.map(
        refine, {f"seed-{s}.{p}": (s, p, *bundles) for s in settings.data.seeds for p in settings.represent.panels}
    )


def refine(
    seed: int,
    panel: str,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
) -> Arrays:
    """`weak`, `refined.<n>` (items, 4); `in_context.<n>` (contexts * questions, 4).  None is in its own context."""
    items = weak[f"seed-{seed}"]["items"]
    model, pool = pretrained(seed, panel, settings, represent), settings.data.questions // 2
    stream = streams.generator(seed, f"refinement_style/contexts/{panel}")
    asked = np.resize(np.arange(pool), settings.labels.items)
    every = np.tile(np.arange(settings.data.questions), settings.labels.contexts)
    found = {"weak": items[asked]}
    for name, questions in (("refined", asked), ("in_context", every)):
        others = np.argsort(stream.random((len(questions), pool)) + (np.arange(pool) == questions[:, None]), axis=1)
        for n in settings.labels.n_icl:
            context = items[others[:, :n]].reshape(len(questions), -1)
            found[f"{name}.{n}"] = written(model, context, questions)
    return found


def pretrained(seed: int, panel: str, settings: Settings, represent: Mapping[str, Arrays]) -> sequences.Sequences:
    """The strong model."""
    model, kept = network(seed, settings), represent[f"seed-{seed}.{panel}"]
    sequences.load(model, kept)
    return model


def strong(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By seed and panel: items (questions, 4) of each student, `<method>.<size>`; see ``finetune``."""
    bundles = (settings, upstream["data"], upstream["represent"], upstream["labels"])
    return pool.map(
        finetune, {f"seed-{s}.{p}": (s, p, *bundles) for s in settings.data.seeds for p in settings.represent.panels}
    )


def finetune(
    seed: int,
    panel: str,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
) -> Arrays:
    """Students by the labels they see, and by what is added to their loss."""
    language, known = Language(settings.data, data[f"seed-{seed}"]), labels[f"seed-{seed}.{panel}"]
    every, empty = np.arange(settings.data.questions), np.zeros((settings.data.questions, 0), np.int64)
    source, stream = pretrained(seed, panel, settings, represent), streams.generator(seed, "refinement_style/gold")
    gold = language.items(stream, known["weak"][:, 0], WANTED, False)
    runs = {f"refined.{n}": (known[f"refined.{n}"], 0.0, 0.0) for n in settings.labels.n_icl}
    runs |= {f"naive.{eta:g}": (known["weak"], eta, 0.0) for eta in settings.strong.etas}
    runs |= {"gold.": (gold, 0.0, 0.0), "confidence.": (known["weak"], 0.0, settings.strong.confidence)}
    found = {name: array for name, array in known.items() if name.startswith("in_context.")}
    found["untuned."] = written(source, empty, every)
    for name, (items, eta, trust) in runs.items():
        student = pretrained(seed, panel, settings, represent)
        tune(seed, settings, student, source, items, eta, trust)
        found[name] = written(student, empty, every)
    return found


def tune(
    seed: int,
    settings: Settings,
    student: sequences.Sequences,
    source: sequences.Sequences,
    items: Array,
    eta: float,
    trust: float,
) -> None:
    """Finetune whole on items (items, 4), asked without context, in an order of rows that all students share.

    eta: weight of KL(source, student).  trust: share of the loss that goes to the student's own hardened answer, rising
    over the first fifth of the steps (Burns et al. 2023).
    """
    own, stream = settings.strong.training, streams.generator(seed, "refinement_style/finetuning")

    def loss(step: int) -> torch.Tensor:
        rows = items[stream.integers(len(items), size=own.batch_size)]
        answers, target = sequences.logits(student, rows[:, :-1]), torch.from_numpy(rows[:, 1:].copy())
        log = answers.log_softmax(dim=-1)
        share = trust * min(1.0, 5 * step / own.steps)
        value = (1 - share) * nn.functional.nll_loss(log.flatten(0, 1), target.flatten())
        if share:
            value = value - share * log.max(dim=-1).values.mean()
        if eta:
            with torch.no_grad():
                before = sequences.logits(source, rows[:, :-1]).log_softmax(dim=-1)
            value = value + eta * (before.exp() * (before - log)).sum(dim=-1).mean()
        return value

    sequences.train(student, loss, own)


def evaluate(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells: content and style of each student on questions that it was finetuned on, and on the others.

    The error is the share of the two scores that are missed, so that gain and misfit speak of both.
    """
    cells = pd.concat(scored(settings, upstream), ignore_index=True)
    level = settings.evaluate.confidence
    metrics = nested(
        cells, "seed", ("panel", "questions", "method"), lambda members: means(members, ("content", "style"), level)
    )
    return {"cells": cells, "metrics": metrics}


def scored(settings: Settings, upstream: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Rows of each seed, panel, student and half of the questions."""
    for seed in settings.data.seeds:
        language = Language(settings.data, upstream["data"][f"seed-{seed}"])
        teacher = upstream["weak"][f"seed-{seed}"]["items"]
        for panel in settings.represent.panels:
            made = upstream["strong"][f"seed-{seed}.{panel}"]
            for key, items in sorted({**made, "teacher.": teacher}.items()):
                known = {"panel": panel, "seed": seed, **told(key)}
                for half, rows in (("seen", language.seen), ("held_out", ~language.seen)):
                    trio = (language.scores(each[rows[each[:, 0]]]) for each in (teacher, items, made["gold."]))
                    yield row(*trio).assign(questions=half, n_train=settings.labels.items, **known)
