"""Small ReLU networks: the representations of Charikar et al., pretrained step by step as by torch.optim.AdamW."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from pipeline.models.network import kernels
from pipeline.models.network.adamw import AdamW, State
from pipeline.models.network.lanes import LANES, ROWS, aligned, padded

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
    biases = np.concatenate(
        [_uniform(generator, (1, width), input_dimension), _uniform(generator, (blocks - 1, width), width)]
    )
    return Representation(first, hidden, biases)


def initialise_heads(generator: np.random.Generator, tasks: int, width: int) -> Array:
    """Linear heads in PyTorch's default, shape (tasks, width + 1), the bias last."""
    return _uniform(generator, (tasks, width + 1), width)


def initial_moments(network: Representation) -> Moments:
    """AdamW's first and second moments before the first step."""
    return Representation(*map(np.zeros_like, network)), Representation(*map(np.zeros_like, network))


def represent(network: Representation, inputs: Array) -> Array:
    """Outputs of the last block, (n, d) -> (n, width) float32, by the kernel that training uses."""
    inputs = _checked(network, inputs)
    blocks, width = network.biases.shape
    parameters = _pack(network)
    outputs = np.empty((len(inputs), width), dtype=np.float32)
    room = kernels.buffers(parameters, _dimension(network), blocks, _REPRESENT_ROWS)
    kernels.represent(parameters, inputs, room, outputs)
    if not np.isfinite(outputs).all():
        raise FloatingPointError(f"representation of input {_first_bad(outputs)} is not finite")
    return outputs


def pretrain(
    network: Representation,
    moments: Moments,
    step: int,
    heads: Array,
    inputs: Array,
    labels: Array,
    orders: Array,
    *,
    schedule: str,
    learning_rate: float,
    weight_decay: float,
    batch_size: int,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> tuple[Representation, Moments, int, Array]:
    """Train the representation on T tasks whose heads (T, width + 1) are given and frozen; mean squared error.

    inputs (T, N, d), labels (T, N), orders (E, T, N): for each epoch a permutation of each task's samples.
    Returns network, moments, step and the mean batch loss of each epoch (E,); hand the first three back to go on.
    """
    if schedule not in schedules:
        raise ValueError(f"schedule is {schedule!r}, expected {' or '.join(schedules)}")
    tasks, orders = _checked_tasks(network, heads, inputs, labels, orders, batch_size)
    state = State(*map(_pack, (network, *moments)))
    train, batches = schedules[schedule]
    rows = padded(batch_size, ROWS) * batches(len(heads))
    room = kernels.buffers(state.parameters, _dimension(network), len(network.biases), rows)
    losses = np.zeros(len(orders))
    step = train(state, step, AdamW(learning_rate, weight_decay, *betas, eps), tasks, orders, batch_size, room, losses)
    if not np.isfinite(losses).all() or not all(np.isfinite(packed).all() for packed in state):
        raise FloatingPointError(f"{schedule} pretraining diverged in epoch {_first_bad(losses)} of this call")
    trained, first, second = (_unpack(packed, network) for packed in state)
    return trained, (first, second), step, losses


class Schedule(NamedTuple):
    """In which steps an epoch goes through the tasks."""

    train: Callable[..., int]
    batches: Callable[[int], int]  # how many of T tasks' batches one step takes


schedules = {
    "sequential": Schedule(kernels.sequential, batches=lambda tasks: 1),
    "joint": Schedule(kernels.joint, batches=lambda tasks: tasks),
}
_REPRESENT_ROWS = 256


def _uniform(generator: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> Array:
    bound = 1 / np.sqrt(fan_in)
    return generator.uniform(-bound, bound, shape).astype(np.float32)


def _dimension(network: Representation) -> int:
    return padded(network.first.shape[1], ROWS)


def _pack(network: Representation) -> Array:
    """All parameters in one array as the kernels want them: for each block its weights (inputs, outputs), then biases.

    Inputs are padded to whole Tiles and outputs to whole Lanes with zeros; their gradients are zero: they stay zero.
    """
    width, dimension = padded(network.biases.shape[1], LANES), _dimension(network)
    packed = aligned(dimension + 1 + len(network.hidden) * (width + 1), width)
    for weights, bias, view in _blocks(network, packed):
        view[: weights.shape[1], : weights.shape[0]] = weights.T
        view[-1, : weights.shape[0]] = bias
    return packed


def _unpack(packed: Array, like: Representation) -> Representation:
    network = Representation(*map(np.empty_like, like))
    for weights, bias, view in _blocks(network, packed):
        weights[:] = view[: weights.shape[1], : weights.shape[0]].T
        bias[:] = view[-1, : weights.shape[0]]
    return network


def _blocks(network: Representation, packed: Array) -> Iterator[tuple[Array, Array, Array]]:
    """Each block's weights, biases and its rows of the packed array."""
    start = 0
    for weights, bias in zip((network.first, *network.hidden), network.biases, strict=True):
        stop = start + (padded(packed.shape[1], LANES) if start else _dimension(network)) + 1
        yield weights, bias, packed[start:stop]
        start = stop


def _checked(network: Representation, inputs: Array) -> Array:
    blocks, width = network.biases.shape
    if network.hidden.shape != (blocks - 1, width, width) or network.first.shape[0] != width:
        raise ValueError(f"representation shapes {[array.shape for array in network]} do not fit together")
    if inputs.shape[-1] != network.first.shape[1]:
        raise ValueError(f"inputs have {inputs.shape[-1]} features, the representation takes {network.first.shape[1]}")
    return np.ascontiguousarray(inputs, dtype=np.float32)


def _checked_tasks(
    network: Representation,
    heads: Array,
    inputs: Array,
    labels: Array,
    orders: Array,
    batch_size: int,
) -> tuple[kernels.Tasks, Array]:
    tasks, samples = inputs.shape[:2]
    width = network.biases.shape[1]
    for name, array, shape in (
        ("labels", labels, (tasks, samples)),
        ("heads", heads, (tasks, width + 1)),
        ("orders", orders, (len(orders), tasks, samples)),
    ):
        if array.shape != shape:
            raise ValueError(f"{name} have shape {array.shape}, expected {shape}")
    if orders.size and (orders.min() < 0 or orders.max() >= samples):
        raise ValueError(f"orders point outside the {samples} samples")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, expected a positive number")
    labels = np.ascontiguousarray(labels, dtype=np.float32)
    wide = aligned(tasks, padded(width, LANES) + LANES)
    wide[:, :width], wide[:, padded(width, LANES)] = heads[:, :-1], heads[:, -1]
    return kernels.Tasks(wide, _checked(network, inputs), labels), np.ascontiguousarray(orders, dtype=np.int64)


def _first_bad(values: Array) -> int:
    return int(np.argmin(np.isfinite(values).reshape(len(values), -1).all(axis=1)))
