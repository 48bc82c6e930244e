"""A seeded grammar of tokens in which fluency, and the best string after a prompt, are known exactly.

What follows hangs on the last token and on the kind of the one before: a sparse table, mixed with slips to any token.
"""

from typing import NamedTuple

import numpy as np

Array = np.ndarray


class Grammar(NamedTuple):
    """Probability of a token after (kind of the last but one, last): (kinds, words, words); kind of each (words,)."""

    following: Array
    kinds: Array

    def log_probability(self, tokens: Array, prompt: int) -> Array:
        """Log-probability of each token after a prompt, (count, positions - prompt), of tokens (count, positions)."""
        before, last, own = (tokens[:, prompt - back : tokens.shape[1] - back] for back in (2, 1, 0))
        return np.log(self.following[self.kinds[before], last, own])

    def strings(self, stream: np.random.Generator, count: int, length: int) -> Array:
        """Strings (count, length); the first two tokens are drawn evenly."""
        words = len(self.kinds)
        tokens = np.empty((count, length), np.int64)
        tokens[:, :2] = stream.integers(words, size=(count, 2))
        reached, draws = self.following.cumsum(axis=-1), stream.random((count, length))
        for place in range(2, length):
            below = reached[self.kinds[tokens[:, place - 2]], tokens[:, place - 1]] < draws[:, place, None]
            tokens[:, place] = np.minimum(below.sum(axis=1), words - 1)  # a sum of probabilities can round below 1
        return tokens

    def best(self, value: Array, length: int) -> Array:
        """Largest mean of log-probability and value (words,) that ``length`` tokens can reach, (words, words).

        By the two tokens before them; backwards from the last token (Bellman).
        """
        words = len(self.kinds)
        gains = np.log(self.following)[self.kinds] + value  # last but one, last, next
        reached = np.zeros((words, words))
        for _ in range(length):
            reached = (gains + reached[None]).max(axis=-1)
        return reached / length


def drawn(stream: np.random.Generator, words: int, kinds: int, successors: int, slips: float) -> Grammar:
    """A grammar in which each of kinds * words contexts has some successors, with even Dirichlet probabilities.

    slips: probability with which a token is any of all words instead.
    """
    places = np.argsort(stream.random((kinds, words, words)), axis=-1)[..., :successors]
    table = np.zeros((kinds, words, words))
    np.put_along_axis(table, places, stream.dirichlet(np.ones(successors), (kinds, words)), axis=-1)
    return Grammar((1 - slips) * table + slips / words, np.arange(words) % kinds)
