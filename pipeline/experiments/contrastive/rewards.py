"""The true reward of strings: fluency under the true grammar, and a weight times the share of preferred tokens."""

from collections.abc import Mapping

import numpy as np

from pipeline.experiments.contrastive.settings import Data
from pipeline.models.grammar import Grammar

Array = np.ndarray


def grammar_of(drawn: Mapping[str, Array]) -> Grammar:
    """The grammar of a seed."""
    return Grammar(drawn["following"], drawn["kinds"])


def parts(language: Grammar, tokens: Array, data: Data) -> tuple[Array, Array]:
    """Fluency, in nats a token, and share of preferred tokens of strings (count, positions): (count,) each."""
    preferred = np.isin(tokens[:, data.prompt :], data.preferred).mean(axis=1)
    return language.log_probability(tokens, data.prompt).mean(axis=1), preferred


def reward(language: Grammar, tokens: Array, data: Data) -> Array:
    """Reward (count,), in nats a token, of strings (count, positions)."""
    fluency, preferred = parts(language, tokens, data)
    return fluency + data.weight * preferred


def best(language: Grammar, prompts: Array, data: Data) -> Array:
    """Largest reward (count,) that any string reaches after prompts (count, prompt)."""
    values = data.weight * np.isin(np.arange(data.words), data.preferred)
    return language.best(values, data.length)[prompts[:, -2], prompts[:, -1]]
