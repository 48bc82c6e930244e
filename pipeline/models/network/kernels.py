"""Forward, backward and the two pretraining schedules of a ReLU network, compiled by numba.

Rows are samples, units run along Lanes. All three matrix products of a block add up outer products in a Tile:
outputs = inputs @ weights, weight gradient = inputs.T @ slopes, input slopes = slopes @ weights.T.
Parameters stand in one array (see mlp._pack): for each block its weights (inputs, outputs), then its biases.
Batches are padded with zero rows to whole Tiles; a padded row has no slope, so it adds exact zeros to the gradient.
"""

from typing import NamedTuple

import numpy as np

from pipeline.models.network import adamw
from pipeline.models.network.adamw import AdamW, State
from pipeline.models.network.compiled import kernel
from pipeline.models.network.lanes import (
    LANES,
    ROWS,
    Tile,
    add_outer,
    aligned,
    fill,
    gate,
    load,
    load_tile,
    splat,
    store,
    store_tile,
)

Array = np.ndarray


class Tasks(NamedTuple):
    """T pretraining tasks on one representation."""

    heads: Array  # (T, W + LANES), padded, the bias in column W
    inputs: Array  # (T, N, d)
    labels: Array  # (T, N)


class Buffers(NamedTuple):
    """Room for one batch of a network with L blocks: R rows, D inputs and W units, all padded."""

    inputs: Array  # (R, D)
    outputs: Array  # (L, R, W)
    slopes: Array  # (R, W), of the loss by the sums that enter a block's ReLU
    previous: Array  # (R, W)
    transposed: Array  # (W, W)
    gradient: Array  # as the parameters


def buffers(parameters: Array, dimension: int, blocks: int, rows: int) -> Buffers:
    """Zeroed buffers; rows is a multiple of ROWS."""
    width = parameters.shape[1]
    return Buffers(
        aligned(rows, dimension),
        aligned(blocks, rows, width),
        aligned(rows, width),
        aligned(rows, width),
        aligned(width, width),
        aligned(*parameters.shape),
    )


@kernel
def add_product(
    tile: Tile, left: Array, start: int, across: int, along: int, right: Array, first: int, stride: int, length: int
) -> Tile:
    """tile[k] + sum over j of left[start + k * across + j * along] * right[first + j * stride :]."""
    for j in range(length):
        tile = add_outer(tile, left, start + j * along, across, load(right, first + j * stride))
    return tile


@kernel
def block_forward(inputs: Array, parameters: Array, first: int, outputs: Array, rows: int) -> None:
    """outputs (R, W) = ReLU(inputs (R, D) @ weights + biases) for the block whose parameters begin in row `first`."""
    fan_in, width = inputs.shape[1], outputs.shape[1]
    for unit in range(0, width, LANES):
        bias = fill(load(parameters, (first + fan_in) * width + unit))
        for row in range(0, rows, ROWS):
            at = row * width + unit
            tile = add_product(bias, inputs, row * fan_in, fan_in, 1, parameters, first * width + unit, width, fan_in)
            store_tile(outputs, at, width, gate(tile, tile))


@kernel
def block_gradient(inputs: Array, slopes: Array, gradient: Array, first: int, rows: int) -> None:
    """Gradient of a block's weights, inputs.T @ slopes, and of its biases, the column sums of slopes."""
    fan_in, width = inputs.shape[1], slopes.shape[1]
    for unit in range(0, width, LANES):
        for row in range(0, fan_in, ROWS):
            tile = add_product(fill(splat(0.0)), inputs, row, 1, fan_in, slopes, unit, width, rows)
            store_tile(gradient, (first + row) * width + unit, width, tile)
        total = splat(0.0)
        for row in range(rows):
            total = total + load(slopes, row * width + unit)
        store(gradient, (first + fan_in) * width + unit, total)


@kernel
def block_backward(slopes: Array, weights: Array, outputs: Array, previous: Array, rows: int) -> None:
    """previous = slopes @ weights (outputs, inputs), zero where the block below put out zero."""
    width = slopes.shape[1]
    for unit in range(0, width, LANES):
        for row in range(0, rows, ROWS):
            at = row * width + unit
            tile = add_product(fill(splat(0.0)), slopes, row * width, width, 1, weights, unit, width, width)
            store_tile(previous, at, width, gate(tile, load_tile(outputs, at, width)))


@kernel
def forward(parameters: Array, room: Buffers, rows: int) -> None:
    """Outputs of every block for the first rows of room.inputs."""
    dimension, width = room.inputs.shape[1], parameters.shape[1]
    block_forward(room.inputs, parameters, 0, room.outputs[0], rows)
    for block in range(1, len(room.outputs)):
        first = dimension + 1 + (block - 1) * (width + 1)
        block_forward(room.outputs[block - 1], parameters, first, room.outputs[block], rows)


@kernel
def backward(parameters: Array, room: Buffers, rows: int) -> None:
    """Gradient of the loss whose slopes by the last block's sums stand in room.slopes."""
    dimension, width = room.inputs.shape[1], parameters.shape[1]
    slopes, previous = room.slopes, room.previous
    for block in range(len(room.outputs) - 1, 0, -1):
        first = dimension + 1 + (block - 1) * (width + 1)
        block_gradient(room.outputs[block - 1], slopes, room.gradient, first, rows)
        for i in range(width):
            for j in range(width):
                room.transposed[j, i] = parameters[first + i, j]
        block_backward(slopes, room.transposed, room.outputs[block - 1], previous, rows)
        slopes, previous = previous, slopes
    block_gradient(room.inputs, slopes, room.gradient, 0, rows)


@kernel
def gather(inputs: Array, chosen: Array, room: Buffers, row: int) -> None:
    """The chosen samples to room.inputs from `row` on, then zeros up to a whole Tile."""
    for b in range(-(-chosen.size // ROWS) * ROWS):
        for i in range(inputs.shape[1]):
            room.inputs[row + b, i] = inputs[chosen[b], i] if b < chosen.size else 0.0


@kernel
def head_slopes(head: Array, labels: Array, chosen: Array, weight: float, room: Buffers, row: int) -> float:
    """Weighted squared errors of the chosen samples, summed; their slopes by the last block's sums to room.slopes."""
    outputs = room.outputs[-1]
    width = outputs.shape[1]
    loss = 0.0
    for b in range(-(-chosen.size // ROWS) * ROWS):
        residual = np.float32(0.0)
        if b < chosen.size:
            residual = head[width] - labels[chosen[b]]
            for unit in range(width):
                residual += outputs[row + b, unit] * head[unit]
        loss += weight * residual * residual
        slope = splat(2.0 * weight * residual)
        for unit in range(0, width, LANES):
            at = (row + b) * width + unit
            store(room.slopes, at, gate(slope * load(head, unit), load(outputs, at)))
    return loss


@kernel
def sequential(
    state: State,
    step: int,
    optimiser: AdamW,
    tasks: Tasks,
    orders: Array,
    batch_size: int,
    room: Buffers,
    losses: Array,
) -> int:
    """One step per batch, task after task in each epoch, as in the authors' notebook. Returns the new step."""
    epochs, count, samples = orders.shape
    steps = count * -(-samples // batch_size)
    powers = adamw.powers(optimiser, step)
    for epoch in range(epochs):
        for task in range(count):
            for start in range(0, samples, batch_size):
                chosen = orders[epoch, task, start : start + batch_size]
                rows = -(-chosen.size // ROWS) * ROWS
                gather(tasks.inputs[task], chosen, room, 0)
                forward(state.parameters, room, rows)
                losses[epoch] += (
                    head_slopes(tasks.heads[task], tasks.labels[task], chosen, 1.0 / chosen.size, room, 0) / steps
                )
                backward(state.parameters, room, rows)
                powers = adamw.update(state, room.gradient, optimiser, powers)
    return step + epochs * steps


@kernel
def joint(
    state: State,
    step: int,
    optimiser: AdamW,
    tasks: Tasks,
    orders: Array,
    batch_size: int,
    room: Buffers,
    losses: Array,
) -> int:
    """One step per batch index on the mean loss of all tasks' batches. Returns the new step."""
    epochs, count, samples = orders.shape
    steps = -(-samples // batch_size)
    powers = adamw.powers(optimiser, step)
    for epoch in range(epochs):
        for start in range(0, samples, batch_size):
            size = min(batch_size, samples - start)
            rows = -(-size // ROWS) * ROWS
            for task in range(count):
                gather(tasks.inputs[task], orders[epoch, task, start : start + size], room, task * rows)
            forward(state.parameters, room, count * rows)
            for task in range(count):
                chosen = orders[epoch, task, start : start + size]
                losses[epoch] += (
                    head_slopes(tasks.heads[task], tasks.labels[task], chosen, 1.0 / (size * count), room, task * rows)
                    / steps
                )
            backward(state.parameters, room, count * rows)
            powers = adamw.update(state, room.gradient, optimiser, powers)
    return step + epochs * steps


@kernel
def represent(parameters: Array, inputs: Array, room: Buffers, outputs: Array) -> None:
    """Outputs (n, h) of the last block for all inputs (n, d), a buffer at a time."""
    everyone = np.arange(len(inputs))
    for start in range(0, len(inputs), len(room.inputs)):
        chosen = everyone[start : start + len(room.inputs)]
        gather(inputs, chosen, room, 0)
        forward(parameters, room, -(-chosen.size // ROWS) * ROWS)
        for b in range(chosen.size):
            for unit in range(outputs.shape[1]):
                outputs[start + b, unit] = room.outputs[-1, b, unit]
