"""Small transformers over sequences of numbers or tokens: GPT-2's blocks, trained from a seed, kept as arrays."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.core.artifacts import Arrays
from pipeline.core.config import Block, Count, NonNegative, Positive


class Shape(Block):
    """Blocks, their width, and attention heads."""

    layers: Count
    width: Count
    heads: Count


class Training(Block):
    """AdamW in minibatches, a linear rise over the first tenth of the steps, then a cosine to nothing; clipped at 1."""

    steps: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative


class Sequences(nn.Module):
    """GPT-2's blocks between a linear map of each position's input, (..., positions, inputs), and one to outputs."""

    def __init__(self, shape: Shape, positions: int, inputs: int, outputs: int) -> None:
        super().__init__()
        width = shape.width
        blocks = [
            nn.TransformerEncoderLayer(
                width, shape.heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(shape.layers)
        ]
        self.blocks, self.norm = nn.ModuleList(blocks), nn.LayerNorm(width)
        self.enter, self.leave = nn.Linear(inputs, width), nn.Linear(width, outputs)
        self.places = nn.Parameter(0.02 * torch.randn(positions, width))

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (..., positions, outputs), each from the inputs up to its position."""
        length = inputs.shape[-2]
        hidden = self.enter(inputs) + self.places[:length]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        for block in self.blocks:
            hidden = block(hidden, src_mask=mask, is_causal=True)
        return self.leave(self.norm(hidden))  # type: ignore[no-any-return]


def made(seed: int, shape: Shape, positions: int, inputs: int, outputs: int) -> Sequences:
    """A network with random weights."""
    torch.manual_seed(seed)
    return Sequences(shape, positions, inputs, outputs)


def train(model: nn.Module, loss: Callable[[int], Tensor], settings: Training) -> list[float]:
    """Minimise ``loss``, of the batch of a step; returns its value at each step."""
    optimiser = torch.optim.AdamW(model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    losses = []
    for step in range(settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * rise_and_cosine(step, settings.steps)
        optimiser.zero_grad()
        value = loss(step)
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(float(value.detach()))
    return losses


def logits(model: Sequences, tokens: np.ndarray) -> Tensor:
    """Logits (count, positions, words) after tokens (count, positions)."""
    words = model.enter.in_features
    shown = nn.functional.one_hot(torch.from_numpy(np.ascontiguousarray(tokens)), words).float()
    return model(shown)  # type: ignore[no-any-return]


def continued(model: Sequences, tokens: np.ndarray, length: int) -> np.ndarray:
    """Tokens (count, positions) and as many more as ``length``, each the likeliest after those before it."""
    for _ in range(length):
        with torch.no_grad():
            following = logits(model, tokens)[:, -1].argmax(dim=-1).numpy()
        tokens = np.concatenate([tokens, following[:, None]], axis=1)
    return tokens


def rise_and_cosine(step: int, steps: int) -> float:
    """Share of the learning rate at a step, counted from 0."""
    rise = max(1, steps // 10)
    if step < rise:
        return (step + 1) / rise
    return (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise))) / 2


def weights(model: nn.Module) -> Arrays:
    """Weights by name."""
    return {name: tensor.detach().numpy().copy() for name, tensor in model.state_dict().items()}


def load(model: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Give a network the weights that ``weights`` took from one of the same shape; other arrays may lie beside them."""
    model.load_state_dict({name: torch.from_numpy(np.array(arrays[name])) for name in model.state_dict()})
