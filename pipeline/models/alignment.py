"""Losses that align a small language model: DPO on pairs, WSPO on a weak model's log-ratios, both summed or a token.

DPO: Rafailov et al. 2023.  WSPO: weak-to-strong preference optimisation as the code of Jiang et al. 2025 has it.
"""

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models import sequences
from pipeline.models.sequences import Sequences, Training

Array = np.ndarray


def log_softmax(model: Sequences, tokens: Array, prompt: int) -> Tensor:
    """Log-probabilities (count, positions - prompt, words) where a token (count, positions) follows a prompt."""
    return sequences.logits(model, tokens[:, :-1])[:, prompt - 1 :].log_softmax(dim=-1)


def log_probability(model: Sequences, tokens: Array, prompt: int) -> Tensor:
    """Log-probability (count, positions - prompt) of each token after a prompt."""
    return picked(log_softmax(model, tokens, prompt), tokens, prompt)


def picked(log: Tensor, tokens: Array, prompt: int) -> Tensor:
    """Those of the tokens that stand there."""
    return log.gather(-1, torch.from_numpy(tokens[:, prompt:, None].copy()))[..., 0]


def fixed(model: Sequences, tokens: Array, prompt: int) -> Tensor:
    """``log_probability`` of a model that is not trained."""
    with torch.no_grad():
        return log_probability(model, tokens, prompt)


def dpo_loss(chosen: Tensor, rejected: Tensor, beta: float) -> Tensor:
    """-log sigmoid(beta (chosen - rejected)), mean, of log(model / reference) of whole continuations, (count,)."""
    return -nn.functional.logsigmoid(beta * (chosen - rejected)).mean()


def wspo_loss(ratio: Tensor, weak: Tensor, beta: float) -> Tensor:
    """Mean square of beta log(model / reference) - log(aligned weak / weak), both of each token."""
    return (beta * ratio - weak).square().mean()


def dpo(
    model: Sequences,
    chosen: Array,
    rejected: Array,
    prompt: int,
    beta: float,
    training: Training,
    stream: np.random.Generator,
) -> None:
    """Train on pairs (count, positions) with the same prompts; the reference is the model as it comes."""
    before = [fixed(model, tokens, prompt).sum(dim=1) for tokens in (chosen, rejected)]

    def loss(step: int) -> Tensor:
        rows = stream.integers(len(chosen), size=training.batch_size)
        both = np.concatenate([chosen[rows], rejected[rows]])
        after = log_probability(model, both, prompt).sum(dim=1).chunk(2)
        return dpo_loss(after[0] - before[0][rows], after[1] - before[1][rows], beta)

    sequences.train(model, loss, training)


def wspo(
    model: Sequences,
    tokens: Array,
    weak: Array,
    prompt: int,
    beta: float,
    training: Training,
    stream: np.random.Generator,
) -> None:
    """Train on strings (count, positions) with the weak log-ratios (count, positions - prompt) of their tokens."""
    before, target = fixed(model, tokens, prompt), torch.from_numpy(weak)

    def loss(step: int) -> Tensor:
        rows = stream.integers(len(tokens), size=training.batch_size)
        return wspo_loss(log_probability(model, tokens[rows], prompt) - before[rows], target[rows], beta)

    sequences.train(model, loss, training)


def imitate(
    model: Sequences, tokens: Array, prompt: int, trust: float, training: Training, stream: np.random.Generator
) -> None:
    """Train on the continuations of strings (count, positions) by cross-entropy.

    trust: share of the loss that goes to the model's own hardened next token, rising over the first fifth of the steps
    (the confidence loss of Burns et al. 2023).
    """

    def loss(step: int) -> Tensor:
        rows = tokens[stream.integers(len(tokens), size=training.batch_size)]
        log, share = log_softmax(model, rows, prompt), trust * min(1.0, 5 * step / training.steps)
        own = log.max(dim=-1).values.mean() if share else 0.0
        return -(1 - share) * picked(log, rows, prompt).mean() - share * own

    sequences.train(model, loss, training)
