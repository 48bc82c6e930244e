"""The two sizes of transformer of this study, and what they write."""

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.experiments.aligner.settings import Settings
from pipeline.models import completions, sequences, worksheets

Array = np.ndarray


def strong_network(seed: int, settings: Settings) -> sequences.Sequences:
    """The strong model before pretraining."""
    language = settings.data.language
    positions = language.length + 1 + language.room
    return sequences.made(seed, settings.represent.network, positions, language.vocabulary, language.vocabulary)


def small_network(seed: int, settings: Settings) -> sequences.Sequences:
    """Corrector or direct answerer before training; the latter leaves the further positions unused."""
    language = settings.data.language
    positions = language.length + 2 + 2 * language.room
    return sequences.made(seed, settings.weak.network, positions, language.vocabulary, language.vocabulary)


def answers_of(seed: int, model: sequences.Sequences, language: worksheets.Language, questions: Array) -> Arrays:
    """`test.sampled` and `test.greedy` (n, room); all models draw with the same random numbers."""
    prompts, stream = language.asked(questions), streams.generator(seed, "aligner/answers")
    return {
        "test.sampled": completions.sampled(model, prompts, language.room, stream),
        "test.greedy": completions.greedy(model, prompts, language.room),
    }


def corrected(model: sequences.Sequences, language: worksheets.Language, questions: Array, answers: Array) -> Array:
    """Likeliest corrections (n, room) of answers (n, room)."""
    return completions.greedy(model, language.to_correct(questions, answers), language.room)
