"""MolBERT's pretraining recipe: guess masked tokens and predict physico-chemical descriptors, both at once."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.models.molecules.special import MASK, SPECIAL
from pipeline.models.molecules.transformer import Sequences, SmilesBert, batches, clipped

NOT_ASKED = -100


class Recipe(NamedTuple):
    """AdamW; the rate rises linearly over the first ``warmup`` of the steps and falls linearly to zero."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup: float
    masked: float


def pretrain(
    model: SmilesBert, sequences: Sequences, descriptors: np.ndarray, recipe: Recipe, stream: np.random.Generator
) -> np.ndarray:
    """Train in place.  descriptors: (molecules, descriptors), standardised.

    Returns both losses of every step, shape (steps, 2).  Raises FloatingPointError when they are not finite.
    """
    optimiser = torch.optim.AdamW(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    plan = [rows for _ in range(recipe.epochs) for rows in batches(sequences.lengths, recipe.batch_size, stream)]
    targets = torch.from_numpy(descriptors)
    losses = np.empty((len(plan), 2), dtype=np.float32)
    for step, rows in enumerate(plan):
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * rate(step, len(plan), recipe.warmup)
        parts = loss(model, clipped(sequences, rows), targets[rows], recipe.masked, stream)
        optimiser.zero_grad()
        sum(parts).backward()
        optimiser.step()
        losses[step] = [part.item() for part in parts]
    if not np.isfinite(losses).all():
        raise FloatingPointError("pretraining diverged")
    return losses


def rate(step: int, steps: int, warmup: float) -> float:
    """Share of the full learning rate at a step, counted from 0; never zero before the last step is done."""
    rising = max(1, round(warmup * steps))
    return min((step + 1) / rising, (steps - step) / max(1, steps - rising + 1))


def loss(
    model: SmilesBert, tokens: Tensor, descriptors: Tensor, share: float, stream: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the masked tokens and squared error of the descriptors, both means over the batch."""
    inputs, targets = masked(tokens, share, model.words.out_features, stream)
    states = model(inputs)
    asked = targets != NOT_ASKED
    cross_entropy = functional.cross_entropy(model.words(states[asked]), targets[asked], reduction="sum")
    return cross_entropy / asked.sum().clamp(min=1), functional.mse_loss(
        model.descriptors(states.mean(dim=1)), descriptors
    )


def masked(tokens: Tensor, share: float, words: int, stream: np.random.Generator) -> tuple[Tensor, Tensor]:
    """BERT's masking: of the chosen tokens 80 % become MASK, 10 % a random word, 10 % stay.

    Returns inputs and targets, both (batch, length); targets are NOT_ASKED where nothing was chosen.  Special tokens
    are never chosen.
    """
    draw, kind = (torch.from_numpy(stream.random(tokens.shape)) for _ in range(2))
    chosen = (draw < share) & (tokens >= len(SPECIAL))
    noise = torch.from_numpy(stream.integers(len(SPECIAL), max(words, len(SPECIAL) + 1), tokens.shape))
    changed = torch.where(kind < 0.8, MASK, torch.where(kind < 0.9, noise, tokens))
    return torch.where(chosen, changed, tokens), torch.where(chosen, tokens, NOT_ASKED)
