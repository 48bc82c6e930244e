"""AdamW on LANES softmax heads of k classes at once, compiled by numba: one task or grid point per lane.

Laid out as in head_kernels: features (n, h) shared or (n, h, LANES); parameters, moments and gradient
(k (h + 1), LANES), class after class, each with its bias last; targets (n, k, LANES).
"""

from typing import NamedTuple

import numpy as np

from pipeline.models import adamw
from pipeline.models.adamw import AdamW, State
from pipeline.models.compiled import kernel
from pipeline.models.lanes import (
    LANES,
    ROWS,
    add_features,
    add_slopes,
    aligned,
    fill,
    load,
    load_tile,
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
