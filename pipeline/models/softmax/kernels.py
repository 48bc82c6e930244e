"""AdamW on LANES softmax heads of k classes at once, one task or grid point per lane; and pretraining under such heads.

Heads are laid out as in network.head_kernels: features (n, h) shared or (n, h, LANES); parameters, moments and gradient
(k (h + 1), LANES), class after class, each with its bias last; targets (n, k, LANES).
All kernels stand in this one file, since numba's cache notices changes in the file of the function itself.
"""

from typing import NamedTuple

import numpy as np

from pipeline.models.network import adamw
from pipeline.models.network import kernels as network_kernels
from pipeline.models.network.adamw import AdamW, State
from pipeline.models.network.compiled import kernel
from pipeline.models.network.kernels import Buffers
from pipeline.models.network.lanes import (
    LANES,
    ROWS,
    add_features,
    add_slopes,
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
_LOWEST = np.float32(-87.0)
_LOG2E, _LN2_HIGH, _LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
_POWERS = (2.0 ** np.arange(-127, 2)).astype(np.float32)


class Heads(NamedTuple):
    """LANES heads in training and the room for one Tile of samples."""

    state: State  # each (k (h + 1), LANES)
    gradient: Array
    logits: Array  # (k, ROWS, LANES), then their slopes
    places: Array  # (ROWS,) where each sample's features begin


class Tasks(NamedTuple):
    """T pretraining tasks of k classes on one representation."""

    heads: Array  # (T, k, W + LANES), padded, the bias in column W
    inputs: Array  # (T, N, d)
    labels: Array  # (T, N, k)


def untrained(weights: Array, classes: int) -> Heads:
    """Heads before their first step."""
    first, second, gradient = (aligned(*weights.shape) for _ in range(3))
    places = np.zeros(ROWS, dtype=np.int64)
    return Heads(State(weights, first, second), gradient, aligned(classes, ROWS, LANES), places)


@kernel
def exponential(x: float) -> float:
    """exp of a float32 that is at most 0, by additions and products only: the same bytes on every processor."""
    x = max(np.float32(x), _LOWEST)
    whole = np.float32(np.floor(x * _LOG2E + np.float32(0.5)))
    rest = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    series = np.float32(1 / 720)
    for coefficient in (1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0):
        series = series * rest + np.float32(coefficient)
    return series * _POWERS[int(whole) + 127]


@kernel
def predict_tile(heads: Heads, features: Array, order: Array, start: int, stop: int) -> None:
    """Logits of the samples order[start:stop], at most a Tile of them."""
    width = features.shape[1]
    for k in range(ROWS):
        heads.places[k] = order[min(start + k, stop - 1)] * features[0].size
    for label in range(len(heads.logits)):
        first = label * (width + 1) * LANES
        tile = fill(load(heads.state.parameters, first + width * LANES))
        for unit in range(width):
            tile = add_features(tile, features, heads.places, unit, load(heads.state.parameters, first + unit * LANES))
        store_tile(heads.logits, label * ROWS * LANES, LANES, tile)


@kernel
def to_probabilities(logits: Array) -> None:
    """Softmax over the first axis of (k, ROWS, LANES), in place."""
    classes = len(logits)
    for row in range(ROWS):
        for lane in range(LANES):
            highest = logits[0, row, lane]
            for label in range(1, classes):
                highest = max(highest, logits[label, row, lane])
            total = np.float32(0.0)
            for label in range(classes):
                value = exponential(logits[label, row, lane] - highest)
                logits[label, row, lane] = value
                total += value
            for label in range(classes):
                logits[label, row, lane] /= total


@kernel
def slopes(heads: Heads, targets: Array, order: Array, start: int, stop: int, scale: float, reverse: bool) -> None:
    """Logits to slopes of the loss by them, times scale; zero in the rows after stop.

    targets are probabilities for forward cross-entropy, their logarithms for reverse KL.
    """
    logits, classes = heads.logits, len(heads.logits)
    scale = np.float32(scale)
    to_probabilities(logits)
    for row in range(ROWS):
        if start + row >= stop:
            logits[:, row] = 0.0
            continue
        sample = order[start + row]
        for lane in range(LANES):
            if not reverse:
                for label in range(classes):
                    logits[label, row, lane] = scale * (logits[label, row, lane] - targets[sample, label, lane])
                continue
            mean = np.float32(0.0)
            for label in range(classes):
                p = logits[label, row, lane]
                mean += p * (np.float32(np.log(max(p, np.float32(1e-30)))) - targets[sample, label, lane])
            for label in range(classes):
                p = logits[label, row, lane]
                ratio = np.float32(np.log(max(p, np.float32(1e-30)))) - targets[sample, label, lane]
                logits[label, row, lane] = scale * p * (ratio - mean)


@kernel
def add_gradient(heads: Heads, features: Array) -> None:
    """Add the gradient that belongs to the slopes of one Tile."""
    width = features.shape[1]
    for label in range(len(heads.logits)):
        first, tile_start = label * (width + 1) * LANES, label * ROWS * LANES
        bias = first + width * LANES
        total = load(heads.gradient, bias)
        for k in range(ROWS):
            total = total + load(heads.logits, tile_start + k * LANES)
        store(heads.gradient, bias, total)
        tile = load_tile(heads.logits, tile_start, LANES)
        for unit in range(width):
            at = first + unit * LANES
            store(heads.gradient, at, add_slopes(load(heads.gradient, at), features, heads.places, unit, tile))


@kernel
def train(
    heads: Heads,
    features: Array,
    targets: Array,
    orders: Array,
    batch_size: int,
    optimiser: AdamW,
    reverse: bool,
    epochs: Array,
    snapshots: Array,
) -> None:
    """One epoch per row of orders (E, n); snapshots (S, k (h + 1), LANES) receives the heads after `epochs` (S,)."""
    powers, taken = adamw.powers(optimiser, 0), 0
    for epoch in range(len(orders) + 1):
        if taken < len(epochs) and epochs[taken] == epoch:
            snapshots[taken] = heads.state.parameters
            taken += 1
        if epoch == len(orders):
            break
        order = orders[epoch]
        for start in range(0, order.size, batch_size):
            stop = min(start + batch_size, order.size)
            heads.gradient[:] = 0
            for row in range(start, stop, ROWS):
                predict_tile(heads, features, order, row, stop)
                slopes(heads, targets, order, row, stop, 1.0 / (stop - start), reverse)
                add_gradient(heads, features)
            powers = adamw.update(heads.state, heads.gradient, optimiser, powers)


@kernel
def pretraining_slopes(heads: Array, labels: Array, chosen: Array, room: Buffers, logits: Array) -> float:
    """Mean cross-entropy of the chosen samples; its slopes by the last block's sums to room.slopes."""
    outputs = room.outputs[-1]
    width, classes, loss = outputs.shape[1], len(heads), 0.0
    for b in range(-(-chosen.size // ROWS) * ROWS):
        logits[:] = 0.0
        if b < chosen.size:
            loss += _residuals(heads, labels[chosen[b]], outputs[b], logits) / chosen.size
        for unit in range(0, width, LANES):
            slope = splat(0.0)
            for label in range(classes):
                at = label * heads.shape[1] + unit
                slope = slope + splat(logits[label] / np.float32(chosen.size)) * load(heads, at)
            at = b * width + unit
            store(room.slopes, at, gate(slope, load(outputs, at)))
    return loss


@kernel
def _residuals(heads: Array, label: Array, output: Array, logits: Array) -> float:
    """Cross-entropy of one sample; logits receives prediction minus label."""
    width, highest = output.size, np.float32(-np.inf)
    for c in range(len(heads)):
        total = heads[c, width]
        for unit in range(width):
            total += output[unit] * heads[c, unit]
        logits[c] = total
        highest = max(highest, total)
    total, loss = np.float32(0.0), 0.0
    for c in range(len(heads)):
        loss -= label[c] * (logits[c] - highest)
        logits[c] = exponential(logits[c] - highest)
        total += logits[c]
    for c in range(len(heads)):
        logits[c] = logits[c] / total - label[c]
    return loss + np.log(total)


@kernel
def pretrain(
    state: State,
    step: int,
    optimiser: AdamW,
    tasks: Tasks,
    orders: Array,
    batch_size: int,
    room: Buffers,
    losses: Array,
) -> int:
    """One step per batch, task after task in each epoch. Returns the new step."""
    epochs, count, samples = orders.shape
    steps = count * -(-samples // batch_size)
    powers = adamw.powers(optimiser, step)
    logits = np.zeros(tasks.heads.shape[1], dtype=np.float32)
    for epoch in range(epochs):
        for task in range(count):
            for start in range(0, samples, batch_size):
                chosen = orders[epoch, task, start : start + batch_size]
                rows = -(-chosen.size // ROWS) * ROWS
                network_kernels.gather(tasks.inputs[task], chosen, room, 0)
                network_kernels.forward(state.parameters, room, rows)
                losses[epoch] += pretraining_slopes(tasks.heads[task], tasks.labels[task], chosen, room, logits) / steps
                network_kernels.backward(state.parameters, room, rows)
                powers = adamw.update(state, room.gradient, optimiser, powers)
    return step + epochs * steps
