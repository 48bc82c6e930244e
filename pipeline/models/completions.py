"""What a transformer says after a prompt: log-probabilities, samples, finetuning, direct preference optimisation."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pipeline.models import alignment, sequences

Array = np.ndarray


def log_probability(model: sequences.Sequences, prompts: Array, said: Array) -> Tensor:
    """Log-probability of every token of completions (n, length) after prompts (n, tokens): (n, length)."""
    return alignment.log_probability(model, np.concatenate([prompts, said], axis=1), prompts.shape[1])


def sampled(model: sequences.Sequences, prompts: Array, length: int, stream: np.random.Generator) -> Array:
    """Completions (n, length) drawn token by token from the model's own probabilities (largest logit + Gumbel)."""
    tokens = prompts
    for _ in range(length):
        with torch.no_grad():
            logits = sequences.logits(model, tokens)[:, -1].numpy()
        following = np.argmax(logits + stream.gumbel(size=logits.shape), axis=1)
        tokens = np.concatenate([tokens, following[:, None]], axis=1)
    return tokens[:, prompts.shape[1] :]


def greedy(model: sequences.Sequences, prompts: Array, length: int) -> Array:
    """Completions (n, length) of the likeliest token each."""
    return sequences.continued(model, prompts, length)[:, prompts.shape[1] :]


def finetune(
    model: sequences.Sequences,
    prompts: Array,
    said: Callable[[int], Array],
    stream: np.random.Generator,
    training: sequences.Training,
) -> None:
    """Cross-entropy of completions alone, whole network; ``said`` gives those of all rows at a step."""

    def loss(step: int) -> Tensor:
        rows = stream.integers(len(prompts), size=training.batch_size)
        return -log_probability(model, prompts[rows], said(step)[rows]).mean()

    sequences.train(model, loss, training)


def prefer(
    model: sequences.Sequences,
    source: sequences.Sequences,
    prompts: Array,
    chosen: Array,
    rejected: Array,
    beta: float,
    stream: np.random.Generator,
    training: sequences.Training,
) -> None:
    """Direct preference optimisation (Rafailov et al. 2023) against a source that stays as it is."""

    def loss(step: int) -> Tensor:
        rows = stream.integers(len(prompts), size=training.batch_size)
        return preference_loss(model, source, prompts[rows], chosen[rows], rejected[rows], beta)

    sequences.train(model, loss, training)


def preference_loss(
    model: sequences.Sequences,
    source: sequences.Sequences,
    prompts: Array,
    chosen: Array,
    rejected: Array,
    beta: float,
) -> Tensor:
    """Mean of -log sigmoid(beta (log-ratio of the chosen - log-ratio of the rejected)), ratios to the source."""
    both = np.concatenate([prompts, prompts]), np.concatenate([chosen, rejected])
    with torch.no_grad():
        before = log_probability(source, *both).sum(dim=1)
    chosen_ratio, rejected_ratio = (log_probability(model, *both).sum(dim=1) - before).chunk(2)
    return alignment.dpo_loss(chosen_ratio, rejected_ratio, beta)
