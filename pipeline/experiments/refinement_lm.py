"""Refinement in context by a pretrained language model: does it take over a style and keep what it knows?

Questions of SciQ; the teacher answers in a template and is mostly wrong.  The strong model, un-tuned, reads such
answers to other questions as turns of a conversation and answers anew: the refined answers.  No student is finetuned.
Content has two scores: the right answer against the distractors by log-probability, and whether it is written.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from pipeline.core import files, streams, tabular
from pipeline.core.artifacts import Arrays
from pipeline.core.config import Block, Count, Evaluate, Seed, Seeds, Word
from pipeline.core.errors import InputError
from pipeline.core.files import File
from pipeline.core.parallel import Pool
from pipeline.experiments.bregman.settings import Counts
from pipeline.experiments.preferences.common import models
from pipeline.experiments.preferences.settings import Model
from pipeline.experiments.refined import means, row
from pipeline.language import answering, loading
from pipeline.summary.metrics import nested

Array = np.ndarray
KEYS = ("method", "n_icl")
ESTIMATES = ("a language model in bfloat16, whose rounding differs between processors",)
OPTIONS = ("correct_answer", "distractor1", "distractor2", "distractor3")
# Whose answers stand in the context: the teacher's; right ones of other questions; right ones.
SOURCES = {"weak": "in_context", "shuffled": "shuffled", "gold": "gold"}
CONTROLS = ("untuned", "teacher", "shuffled", "gold")
# A conversation as SmolLM2 was trained on, with its own system line.
BEGIN = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
ASK = "<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
END = "<|im_end|>\n"


class Data(Block):
    """Questions with a right answer and three distractors; every seed has its own of them, asked or in contexts."""

    seed: Seed  # of the division into seeds
    seeds: Seeds
    source: File
    asked: Count
    shown: Count


class Represent(Block):
    """The strong model; the template of the wanted style; most tokens of an answer."""

    model: Model
    precision: Literal["bfloat16", "float32"]
    opening: Word
    closing: Word
    tokens: Count

    def styled(self, answer: str) -> str:
        """An answer in the wanted style."""
        return f"{self.opening} {answer}{self.closing}"


class Weak(Block):
    """The teacher keeps the style, and gives a distractor as its answer in a share ``wrong`` of the questions."""

    wrong: Annotated[float, Field(ge=0, le=1)]


class Labels(Block):
    """Answers in context: how many of the teacher's, and of the controls'; contexts a seed."""

    n_icl: Counts
    control_n_icl: Counts
    contexts: Count


class Settings(Block):
    """The file studies/refinement_lm.yaml."""

    data: Data
    represent: Represent
    weak: Weak
    labels: Labels
    evaluate: Evaluate

    @model_validator(mode="after")
    def _contexts_can_be_drawn(self) -> "Settings":
        if (longest := max(*self.labels.n_icl, *self.labels.control_n_icl)) > self.data.shown:
            raise ValueError(f"labels.n_icl {longest} exceeds the questions for contexts, data.shown {self.data.shown}")
        if self.labels.contexts > self.data.asked:
            raise ValueError(
                f"labels.contexts {self.labels.contexts} exceeds data.asked {self.data.asked}; each needs a question"
            )
        return self


def data(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """`seed-<s>`: a table of its questions with OPTIONS and `part`, asked or shown.  No question is of two seeds."""
    own = settings.data
    table = tabular.read(files.found("questions of refinement_lm", own.source), "questions of refinement_lm")
    roles = {name: name for name in ("question", *OPTIONS)}
    table = tabular.columns(table, roles, "questions of refinement_lm", "the columns of data.source in {where}")
    table = table.drop_duplicates("question", ignore_index=True)
    size = own.asked + own.shown
    if size * len(own.seeds) > len(table):
        raise InputError(
            f"questions of refinement_lm: {len(table)} are fewer than {size} for each of {len(own.seeds)} seeds; lower "
            "data.asked or data.shown in {where}"
        )
    order = streams.generator(own.seed, "refinement_lm/questions").permutation(len(table))
    part = ["asked"] * own.asked + ["shown"] * own.shown
    return {
        f"seed-{seed}": table.iloc[order[place * size : (place + 1) * size]].reset_index(drop=True).assign(part=part)
        for place, seed in enumerate(own.seeds)
    }


def represent(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By seed: what the strong model answers without any context; see ``answers``."""
    model = settings.represent.model
    models.place(model)  # fetched once, before the workers ask for it
    units = {name: (settings.represent, upstream["data"][name]) for name in _seeds(settings)}
    return pool.map(untuned, units)


def untuned(own: Represent, table: pd.DataFrame) -> Arrays:
    """The strong model's own answers."""
    return answers(own, table, [([], np.arange((table["part"] == "asked").sum()))])


def answers(own: Represent, table: pd.DataFrame, groups: Sequence[tuple[Sequence[tuple[str, str]], Array]]) -> Arrays:
    """Answers to the asked questions, in groups of places that share a context of questions and answers.

    `written`: their texts (characters of all,), see ``texts``; `likelihood` (asked, options): log-probability a token.
    """
    asked = table[table["part"] == "asked"]
    written, likelihood = [""] * len(asked), np.zeros((len(asked), len(OPTIONS)))
    for shown, rows in groups:
        context = BEGIN + "".join(ASK.format(question=question) + answer + END for question, answer in shown)
        questions = [ASK.format(question=question) for question in asked["question"].iloc[rows]]
        options = [[f" {each}{own.closing}" for each in line] for line in asked[list(OPTIONS)].iloc[rows].to_numpy()]
        loaded = network(own)
        found, likelihood[rows] = answering.answered(loaded, context, questions, options, own.opening, own.tokens)
        for place, text in zip(rows, found, strict=True):
            written[place] = text
    return {"written": np.frombuffer("\0".join(written).encode(), np.uint8), "likelihood": likelihood}


def texts(written: Array) -> list[str]:
    """Texts from the characters that ``answers`` keeps."""
    return written.tobytes().decode().split("\0")


@lru_cache(maxsize=1)
def network(own: Represent) -> loading.Loaded:
    """The strong model; a worker answers for one seed after another with the same."""
    return models.loader(models.place(own.model), own.precision)()


def weak(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By seed: `choice`, which of OPTIONS the teacher gives for each question (0: the right answer), (n,)."""
    found = {}
    for seed, name in zip(settings.data.seeds, _seeds(settings), strict=True):
        stream = streams.generator(seed, "refinement_lm/teacher")
        count = len(upstream["data"][name])
        wrong = stream.random(count) < settings.weak.wrong
        found[name] = {"choice": np.where(wrong, stream.integers(1, len(OPTIONS), count), 0)}
    return found


def labels(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """`seed-<s>.<source>.<n>`: answers after n examples of a source; a unit is one of them."""
    own, units = settings.labels, {}
    for seed, name in zip(settings.data.seeds, _seeds(settings), strict=True):
        table, choice = upstream["data"][name], upstream["weak"][name]["choice"]
        for source in SOURCES:
            for n in own.n_icl if source == "weak" else own.control_n_icl:
                units[f"{name}.{source}.{n}"] = (seed, source, n, settings, table, choice)
    return pool.map(refine, units)


def refine(seed: int, source: str, n: int, settings: Settings, table: pd.DataFrame, choice: Array) -> Arrays:
    """Answers after n examples.  All sources and sizes have the same questions in their contexts, in one order."""
    pool, told = table[table["part"] == "shown"], choice[(table["part"] == "shown").to_numpy()]
    given = pool["correct_answer"].to_numpy()
    if source == "weak":
        given = pool[list(OPTIONS)].to_numpy()[np.arange(len(pool)), told]
    if source == "shuffled":
        given = np.roll(given, 1)  # the rows stand in a random order
    stream, groups = streams.generator(seed, "refinement_lm/contexts"), []
    for rows in np.array_split(np.arange(settings.data.asked), settings.labels.contexts):
        places = stream.permutation(len(pool))[:n]
        shown = [(pool["question"].iloc[place], settings.represent.styled(given[place])) for place in places]
        groups.append((shown, rows))
    return answers(settings.represent, table, groups)


def strong(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """The refined answers as they are: what the model answers in context is judged, no student is finetuned."""
    return {name: upstream["labels"][name] for name in upstream["labels"]}


def evaluate(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells: content and style by method and number of examples, over the asked questions of a seed.

    The error is the share of content and style that is missed, as in refinement_style.
    """
    cells = pd.concat(scored(settings, upstream), ignore_index=True)
    level, names = settings.evaluate.confidence, ("content", "style", "stated")
    metrics = nested(cells, "seed", ("method", "n_icl"), lambda members: means(members, names, level))
    return {"cells": cells, "metrics": metrics}


def scored(settings: Settings, upstream: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Rows of each seed, method and number of examples; the ceiling is that of the most right examples."""
    best = f"gold.{max(settings.labels.control_n_icl)}"
    for seed, name in zip(settings.data.seeds, _seeds(settings), strict=True):
        asked = upstream["data"][name].query("part == 'asked'")
        right = (upstream["weak"][name]["choice"][: len(asked)] == 0).astype(float)
        teacher = np.stack([right, np.ones(len(asked)), right])
        found = {("untuned", 0): scores(settings.represent, asked, upstream["represent"][name])}
        found[("teacher", 0)] = teacher
        for key in upstream["strong"]:
            if key.startswith(f"{name}."):
                _, source, n = key.split(".")
                found[(SOURCES[source], int(n))] = scores(settings.represent, asked, upstream["strong"][key])
        ceiling = scores(settings.represent, asked, upstream["strong"][f"{name}.{best}"])
        for (method, n), own in found.items():
            known = {"seed": seed, "method": method, "n_icl": n, "stated": own[2].mean()}
            known |= {"panel": "sciq", "dataset": "sciq", "strong": "language model", "head": "in context"}
            known |= {"control": method if method in CONTROLS else "", "n_train": n}
            yield row(teacher[:2], own[:2], ceiling[:2]).assign(**known)


def scores(own: Represent, asked: pd.DataFrame, found: Arrays) -> Array:
    """Content, style and whether the right answer is written, (3, questions).

    Content: the share of the distractors that are less likely than the right answer.  Style: the template, whatever
    stands in it, and nothing else.
    """
    likelihood, written = found["likelihood"], [text.strip() for text in texts(found["written"])]
    content = (likelihood[:, :1] > likelihood[:, 1:]).mean(axis=1)
    template = re.compile(re.escape(own.opening) + r" [^\n.]+" + re.escape(own.closing))
    style = [template.fullmatch(text) is not None for text in written]
    stated = [
        re.search(rf"\b{re.escape(right.lower())}\b", text.lower()) is not None
        for text, right in zip(written, asked["correct_answer"], strict=True)
    ]
    return np.stack([content, style, stated]).astype(np.float64)


def _seeds(settings: Settings) -> list[str]:
    return [f"seed-{seed}" for seed in settings.data.seeds]
