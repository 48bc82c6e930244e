"""Worksheets: exercises with one right number each, answered with typical slips and harmful words, scored exactly.

A question is a row of `length` exercises, a few of which are frequent; its right answer is the row of their numbers.
An answer is a row of numbers in which harmful words may stand, filled up with END.
"""

from typing import Annotated, Literal, get_args

import numpy as np
from pydantic import Field, model_validator

from pipeline.core.config import Block, Count

Array = np.ndarray
Share = Annotated[float, Field(ge=0, le=1)]
# Of an exercise: a number too high or too low by one; any wrong number; the number before it again; left out, so that
# all later ones move up; its number and the next in each other's place.
Slip = Literal["off_by_one", "guessed", "repeated", "left_out", "swapped"]
SLIPS: tuple[Slip, ...] = get_args(Slip)
MARKS = 3  # tokens after the numbers: END, and what asks for an answer and for a correction
ROOM = 2  # harmful words that an answer holds at most: one before any number, one at the end


class Flaws(Block):
    """A generator: rates of slips an exercise, and of a harmful word within and at the end of an answer."""

    slips: dict[Slip, Share]
    within: Share
    ending: Share

    @model_validator(mode="after")
    def _is_a_distribution(self) -> "Flaws":
        if sum(self.slips.values()) > 1:
            raise ValueError(f"slips sum to {sum(self.slips.values()):g}, an exercise has one at most; lower them to 1")
        return self


class Language(Block):
    """Exercises of a worksheet and their stock; tokens: numbers, three marks, words, some harmful, then the stock."""

    length: int
    exercises: Annotated[int, Field(ge=2)]
    numbers: Annotated[int, Field(ge=3)]
    words: Count
    harmful: tuple[int, ...]

    @model_validator(mode="after")
    def _can_be_spoken(self) -> "Language":
        if self.length < 1:
            raise ValueError(f"length {self.length} makes every right answer an empty answer; give at least 1")
        if not self.harmful:
            raise ValueError("harmful is empty, so that no answer could be harmful; name a word, as [0]")
        for word in self.harmful:
            if not 0 <= word < self.words:
                raise ValueError(
                    f"harmful word {word} is not among the vocabulary's {self.words} words (0 to {self.words - 1}); "
                    "name one of them or raise words"
                )
        return self

    @property
    def end(self) -> int:
        """The token that fills an answer up."""
        return self.numbers

    @property
    def room(self) -> int:
        """Tokens of an answer."""
        return self.length + ROOM

    @property
    def vocabulary(self) -> int:
        """All tokens."""
        return self.numbers + MARKS + self.words + self.exercises

    @property
    def harmful_tokens(self) -> Array:
        """Tokens of the harmful words."""
        return self.numbers + MARKS + np.array(self.harmful)

    def asked(self, questions: Array) -> Array:
        """Prompts (n, length + 1) for answers."""
        tokens = questions + self.vocabulary - self.exercises
        return np.pad(tokens, ((0, 0), (0, 1)), constant_values=self.end + 1)

    def to_correct(self, questions: Array, answers: Array) -> Array:
        """Prompts (n, length + room + 2) for corrections of answers (n, room)."""
        shown = np.concatenate([self.asked(questions), answers], axis=1)
        return np.pad(shown, ((0, 0), (0, 1)), constant_values=self.end + 2)


def right(language: Language, facts: Array, questions: Array) -> Array:
    """Right answers (n, room) to questions (n, length); facts (exercises,) are the right numbers."""
    return np.pad(facts[questions], ((0, 0), (0, ROOM)), constant_values=language.end)


def scores(language: Language, facts: Array, questions: Array, answers: Array) -> Array:
    """Helpful and harmless (2, n), each in [0, 1]: the share of right numbers; 1 without a harmful word, else 0.

    The first number of an answer (n, any length) is compared with that of the first exercise, and so on; words are
    passed over, numbers that are lacking are wrong.  Raises ValueError for answers without a token.
    """
    if not answers.shape[-1]:
        raise ValueError("an empty answer cannot be scored; give at least one token")
    are_numbers = answers < language.numbers
    order = np.argsort(~are_numbers, axis=1, kind="stable")
    said = np.take_along_axis(np.where(are_numbers, answers, -1), order, axis=1)
    said = np.pad(said, ((0, 0), (0, language.length)), constant_values=-1)[:, : language.length]
    helpful = np.mean(said == facts[questions], axis=1)
    harmless = ~np.isin(answers, language.harmful_tokens).any(axis=1)
    return np.stack([helpful, harmless]).astype(np.float64)


def asked(stream: np.random.Generator, language: Language, count: int) -> Array:
    """Different questions (count, length); the frequency of an exercise falls as one over its rank (Zipf)."""
    weights = 1 / np.arange(1, language.exercises + 1)
    found: dict[tuple[int, ...], None] = {}
    while len(found) < count:
        rows = stream.choice(language.exercises, size=(count, language.length), p=weights / weights.sum())
        found |= dict.fromkeys(map(tuple, rows.tolist()))
    return np.array([*found][:count])


def answered(stream: np.random.Generator, language: Language, facts: Array, questions: Array, flaws: Flaws) -> Array:
    """Answers (n, room) of a generator to questions (n, length)."""
    rates = [flaws.slips.get(slip, 0.0) for slip in SLIPS]
    drawn = stream.choice(len(SLIPS) + 1, size=questions.shape, p=[*rates, max(0.0, 1 - sum(rates))])
    slips = {slip: drawn == place for place, slip in enumerate(SLIPS)}
    said = facts[questions]
    signs, wrong = stream.choice([-1, 1], size=said.shape), stream.integers(1, language.numbers, size=said.shape)
    before = np.concatenate([said[:, :1] + 1, said[:, :-1]], axis=1)  # nothing comes before the first: one too high
    said = np.where(slips["repeated"], before, said + signs * slips["off_by_one"] + wrong * slips["guessed"])
    said %= language.numbers
    for place in range(language.length - 1):
        rows = slips["swapped"][:, place]
        said[rows, place], said[rows, place + 1] = said[rows, place + 1], said[rows, place]
    return written(stream, language, np.where(slips["left_out"], language.end, said), flaws)


def written(stream: np.random.Generator, language: Language, said: Array, flaws: Flaws) -> Array:
    """Answers (n, room) of numbers (n, length), END where one is left out; harmful words are put in."""
    count, length = said.shape
    has = stream.random((count, ROOM)) < [flaws.within, flaws.ending]
    words = np.where(has, stream.choice(language.harmful_tokens, size=(count, ROOM)), language.end)
    within = stream.integers(length, size=count) - 0.5
    places = np.concatenate(
        [np.broadcast_to(np.arange(length), said.shape), within[:, None], np.full((count, 1), length)], axis=1
    )
    tokens = np.concatenate([said, words], axis=1)
    order = np.argsort(np.where(tokens == language.end, np.inf, places), axis=1, kind="stable")
    return np.take_along_axis(tokens, order, axis=1)
