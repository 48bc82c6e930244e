"""The two sizes of transformer of this study, how they are finetuned, and what they write."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.experiments.aligner.settings import Settings
from pipeline.models import alignment, decoding, sequences, worksheets

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


def finetune(
    model: sequences.Sequences,
    prompts: Array,
    said: Callable[[int], Array],
    stream: np.random.Generator,
    training: sequences.Training,
) -> None:
    """Cross-entropy of completions alone, whole network; ``said`` gives those of all prompts at a step."""

    def loss(step: int) -> Tensor:
        rows = stream.integers(len(prompts), size=training.batch_size)
        tokens = np.concatenate([prompts[rows], said(step)[rows]], axis=1)
        return -alignment.log_probability(model, tokens, prompts.shape[1]).mean()

    sequences.train(model, loss, training)


def sampled(model: sequences.Sequences, prompts: Array, length: int, stream: np.random.Generator) -> Array:
    """Completions (n, length) drawn from the model's own probabilities."""
    return decoding.written(decoding.Reader(model), prompts, length, 1.0, stream)[:, prompts.shape[1] :]


def greedy(model: sequences.Sequences, prompts: Array, length: int) -> Array:
    """Completions (n, length) of the likeliest token each."""
    return sequences.continued(model, prompts, length)[:, prompts.shape[1] :]


def answers_of(seed: int, model: sequences.Sequences, language: worksheets.Language, questions: Array) -> Arrays:
    """`test.sampled` and `test.greedy` (n, room); all models draw with the same random numbers."""
    prompts, stream = language.asked(questions), streams.generator(seed, "aligner/answers")
    return {
        "test.sampled": sampled(model, prompts, language.room, stream),
        "test.greedy": greedy(model, prompts, language.room),
    }


def corrected(model: sequences.Sequences, language: worksheets.Language, questions: Array, answers: Array) -> Array:
    """Likeliest corrections (n, room) of answers (n, room)."""
    return greedy(model, language.to_correct(questions, answers), language.room)
