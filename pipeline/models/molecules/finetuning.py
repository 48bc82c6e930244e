"""Full finetuning of a pretrained SMILES transformer: all layers free, a linear head on the mean over tokens."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from pipeline.models.molecules.transformer import Sequences, SmilesBert, clipped, represent


class Recipe(NamedTuple):
    """AdamW at one learning rate, after a linear rise over the first tenth of the steps."""

    batch_size: int
    learning_rate: float
    weight_decay: float


class Training(NamedTuple):
    """A model and its head in training, and the mean and deviation of the labels."""

    model: SmilesBert
    head: nn.Linear
    optimiser: torch.optim.AdamW
    mean: float
    deviation: float


def finetune(
    model: SmilesBert,
    sequences: Sequences,
    labels: np.ndarray,
    rows: np.ndarray,
    recipe: Recipe,
    steps: int,
    stream: np.random.Generator,
) -> np.ndarray:
    """A fixed number of steps on the labels of ``rows``, no label held out; predictions for all, (molecules,), float64.

    Raises FloatingPointError when training diverges.
    """
    training = begin(model, labels[rows], recipe)
    for step, batch in zip(range(steps), shuffled(rows, recipe.batch_size, stream), strict=False):
        advance(training, sequences, labels, batch, recipe.learning_rate * min(1.0, 10 * (step + 1) / steps))
    return predict(training, sequences)


def begin(model: SmilesBert, labels: np.ndarray, recipe: Recipe) -> Training:
    """Training before its first step; the head starts at zero, so the first prediction is the mean label."""
    head = nn.Linear(model.words.in_features, 1)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    free = [parameter for parameter in model.bert.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(
        [*free, *head.parameters()], lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    return Training(model, head, optimiser, float(labels.mean()), float(labels.std()) or 1.0)


def advance(training: Training, sequences: Sequences, labels: np.ndarray, rows: np.ndarray, rate: float) -> None:
    """One AdamW step on the mean squared error of standardised labels."""
    for group in training.optimiser.param_groups:
        group["lr"] = rate
    targets = torch.from_numpy(((labels[rows] - training.mean) / training.deviation).astype(np.float32))
    predictions = training.head(training.model.pooled(clipped(sequences, rows))).squeeze(-1)
    training.optimiser.zero_grad()
    functional.mse_loss(predictions, targets).backward()
    training.optimiser.step()


def predict(training: Training, sequences: Sequences) -> np.ndarray:
    """Predictions in label units, shape (molecules,), float64.  Raises FloatingPointError unless all are finite."""
    features = represent(training.model, sequences).astype(np.float64)
    weight, bias = (parameter.detach().numpy().astype(np.float64) for parameter in training.head.parameters())
    predictions = (features @ weight[0] + bias[0]) * training.deviation + training.mean
    if not np.isfinite(predictions).all():
        raise FloatingPointError("finetuning diverged")
    return predictions


def shuffled(rows: np.ndarray, size: int, stream: np.random.Generator) -> Iterator[np.ndarray]:
    """Batches without end: every epoch a new order."""
    while True:
        order = stream.permutation(rows)
        yield from (order[start : start + size] for start in range(0, len(order), size))
