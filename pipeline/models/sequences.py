"""Small transformers over sequences of numbers or tokens: GPT-2's blocks, trained from a seed, kept as arrays."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2Model

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
        self.trunk = GPT2Model(
            GPT2Config(
                n_embd=shape.width, n_layer=shape.layers, n_head=shape.heads, n_positions=positions, vocab_size=1,
                resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False, bos_token_id=0, eos_token_id=0,
            )
        )  # fmt: skip
        self.enter, self.leave = nn.Linear(inputs, shape.width), nn.Linear(shape.width, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.leave(self.trunk(inputs_embeds=self.enter(inputs)).last_hidden_state)  # type: ignore[no-any-return]


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
    """Give a network the weights that ``weights`` took from one of the same shape."""
    model.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
