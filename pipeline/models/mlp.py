"""Small ReLU networks: the representations of Charikar et al., pretrained step by step as by torch.optim.AdamW."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.models import kernels
from pipeline.models.adamw import AdamW
from pipeline.models.lanes import aligned, padded

Array = np.ndarray


class Representation(NamedTuple):
    """L blocks of Linear and ReLU, ReLU after the last too; float32, weights (outputs, inputs) as in PyTorch."""

    first: Array  # (width, input_dimension)
    hidden: Array  # (L - 1, width, width)
    biases: Array  # (L, width)


Moments = tuple[Representation, Representation]


def initialise(generator: np.random.Generator, input_dimension: int, width: int, blocks: int) -> Representation:
    """PyTorch's default for nn.Linear: weights and biases uniform within 1 / sqrt(inputs)."""
    first = _uniform(generator, (width, input_dimension), input_dimension)
    hidden = _uniform(generator, (blocks - 1, width, width), width)
    biases = np.concatenate([_uniform(generator, (1, width), input_dimension), _uniform(generator, (blocks - 1, width), width)])
    return Representation(first, hidden, biases)


def initialise_heads(generator: np.random.Generator, tasks: int, width: int) -> Array:
    """Linear heads in PyTorch's default, shape (tasks, width + 1), the bias last."""
    return _uniform(generator, (tasks, width + 1), width)


def initial_moments(network: Representation) -> Moments:
    """AdamW's first and second moments before the first step."""
    return tuple(Representation(*map(np.zeros_like, network)) for _ in range(2))


def represent(network: Representation, inputs: Array) -> Array:
    """Outputs of the last block, (n, d) -> (n, width) float32, by the kernel that training uses."""
    inputs = _checked(network, inputs)
    blocks, width = network.biases.shape
    outputs = np.empty((len(inputs), width), dtype=np.float32)
    kernels.represent(_pack(network), inputs, blocks, outputs)
    if not np.isfinite(outputs).all():
        raise FloatingPointError(f"representation of input {_first_bad(outputs)} is not finite")
    return outputs


def pretrain(
    network: Representation, moments: Moments, step: int, heads: Array, inputs: Array, labels: Array, orders: Array, *,
    schedule: str, learning_rate: float, weight_decay: float, batch_size: int,
    betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
) -> tuple[Representation, Moments, int, Array]:
    """Train the representation on T tasks whose heads (T, width + 1) are given and frozen; mean squared error.

    inputs (T, N, d), labels (T, N), orders (E, T, N): for each epoch a permutation of each task's samples.
    Returns network, moments, step and the mean batch loss of each epoch (E,); hand the first three back to go on.
    """
    inputs, labels, heads, orders = _checked_tasks(network, heads, inputs, labels, orders, batch_size)
    state = tuple(map(_pack, (network, *moments)))
    optimiser = AdamW(learning_rate, weight_decay, *betas, eps)
    losses = np.zeros(len(orders))
    train = schedules[schedule]
    step = train(state, step, optimiser, heads, inputs, labels, orders, batch_size, len(network.biases), losses)
    if not np.isfinite(losses).all() or not all(np.isfinite(packed).all() for packed in state):
        raise FloatingPointError(f"{schedule} pretraining diverged in epoch {_first_bad(losses)} of this call")
    trained, *new_moments = (_unpack(packed, network) for packed in state)
    return trained, tuple(new_moments), step, losses


schedules: dict[str, Callable] = {"sequential": kernels.sequential, "joint": kernels.joint}


def _uniform(generator: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> Array:
    bound = 1 / np.sqrt(fan_in)
    return generator.uniform(-bound, bound, shape).astype(np.float32)


def _pack(network: Representation) -> Array:
    """All parameters in one vector as the kernels want them: for each block its weights (inputs, outputs), then biases.

    Outputs are padded with zeros to whole Lanes; their gradients are zero, so they stay zero.
    """
    width = network.biases.shape[1]
    inputs = network.first.shape[1] + 1 + len(network.hidden) * (width + 1)
    packed = aligned(inputs, padded(width))
    start = 0
    for weights, bias in zip((network.first, *network.hidden), network.biases, strict=True):
        stop = start + weights.shape[1]
        packed[start:stop, :width] = weights.T
        packed[stop, :width] = bias
        start = stop + 1
    return packed


def _unpack(packed: Array, like: Representation) -> Representation:
    width, dimension = like.first.shape
    later = packed[dimension + 1 :, :width].reshape(len(like.hidden), width + 1, width)
    biases = np.concatenate([packed[None, dimension, :width], later[:, -1]])
    hidden = np.ascontiguousarray(later[:, :-1].transpose(0, 2, 1))
    return Representation(np.ascontiguousarray(packed[:dimension, :width].T), hidden, biases)


def _checked(network: Representation, inputs: Array) -> Array:
    blocks, width = network.biases.shape
    if network.hidden.shape != (blocks - 1, width, width) or network.first.shape[0] != width:
        raise ValueError(f"representation shapes {[array.shape for array in network]} do not fit together")
    if inputs.shape[-1] != network.first.shape[1]:
        raise ValueError(f"inputs have {inputs.shape[-1]} features, the representation takes {network.first.shape[1]}")
    return np.ascontiguousarray(inputs, dtype=np.float32)


def _checked_tasks(
    network: Representation, heads: Array, inputs: Array, labels: Array, orders: Array, batch_size: int,
) -> tuple[Array, Array, Array, Array]:
    tasks, samples = inputs.shape[:2]
    width = network.biases.shape[1]
    for name, array, shape in (
        ("labels", labels, (tasks, samples)), ("heads", heads, (tasks, width + 1)), ("orders", orders[0], (tasks, samples)),
    ):
        if array.shape != shape:
            raise ValueError(f"{name} have shape {array.shape}, expected {shape}")
    if orders.min() < 0 or orders.max() >= samples:
        raise ValueError(f"orders point outside the {samples} samples")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, expected a positive number")
    labels, heads = (np.ascontiguousarray(array, dtype=np.float32) for array in (labels, heads))
    return _checked(network, inputs), labels, heads, np.ascontiguousarray(orders, dtype=np.int64)


def _first_bad(values: Array) -> int:
    return int(np.argmin(np.isfinite(values).reshape(len(values), -1).all(axis=1)))
