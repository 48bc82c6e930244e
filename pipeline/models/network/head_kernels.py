"""AdamW on LANES linear heads at once, compiled by numba: one task per lane, so that no sum runs across lanes.

Features are shared by all lanes (n, h), or each lane's own, interleaved (n, h, LANES).
Weights, moments and gradient are (h + 1, LANES), the bias last; labels are (n, LANES).
"""

from typing import NamedTuple

import numpy as np

from pipeline.models.network import adamw
from pipeline.models.network.adamw import AdamW, State
from pipeline.models.network.compiled import kernel
from pipeline.models.network.lanes import (
    LANES,
    ROWS,
    add_features,
    add_slopes,
    aligned,
    fill,
    load,
    load_tile,
    splat,
    store,
    store_tile,
)

Array = np.ndarray
SMALLEST = 1e-300  # an error of zero has no logarithm


class Samples(NamedTuple):
    """What LANES heads are trained or validated on."""

    features: Array  # (n, h) or (n, h, LANES)
    labels: Array  # (n, LANES)


class Heads(NamedTuple):
    """LANES heads in training and the room for one Tile of samples."""

    state: State  # each (h + 1, LANES)
    gradient: Array
    residuals: Array  # (ROWS, LANES)
    places: Array  # (ROWS,) where each sample's features begin


def untrained(weights: Array) -> Heads:
    """Heads before their first step."""
    first, second, gradient = (aligned(*weights.shape) for _ in range(3))
    return Heads(State(weights, first, second), gradient, aligned(ROWS, LANES), np.zeros(ROWS, dtype=np.int64))


@kernel
def residuals(heads: Heads, samples: Samples, order: Array, start: int, stop: int) -> None:
    """Prediction minus label of the samples order[start:stop], at most a Tile of them; zero in the rows after."""
    features, labels = samples
    width = features.shape[1]
    for k in range(ROWS):
        heads.places[k] = order[min(start + k, stop - 1)] * features[0].size
    tile = fill(load(heads.state.parameters, width * LANES))
    for unit in range(width):
        tile = add_features(tile, features, heads.places, unit, load(heads.state.parameters, unit * LANES))
    store_tile(heads.residuals, 0, LANES, tile)
    for k in range(min(ROWS, stop - start)):
        label = load(labels, order[start + k] * LANES)
        store(heads.residuals, k * LANES, load(heads.residuals, k * LANES) - label)
    for k in range(stop - start, ROWS):
        store(heads.residuals, k * LANES, splat(0.0))


@kernel
def add_gradient(heads: Heads, features: Array, scale: float) -> None:
    """Add the gradient of scale / 2 times the squared residuals."""
    width, bias = features.shape[1], features.shape[1] * LANES
    for k in range(ROWS):
        slope = splat(scale) * load(heads.residuals, k * LANES)
        store(heads.residuals, k * LANES, slope)
        store(heads.gradient, bias, load(heads.gradient, bias) + slope)
    tile = load_tile(heads.residuals, 0, LANES)
    for unit in range(width):
        at = unit * LANES
        store(heads.gradient, at, add_slopes(load(heads.gradient, at), features, heads.places, unit, tile))


@kernel
def train_epoch(
    heads: Heads,
    samples: Samples,
    order: Array,
    batch_size: int,
    optimiser: AdamW,
    powers: tuple[float, float],
) -> tuple[float, float]:
    """One AdamW step per batch of the order, the last batch perhaps smaller."""
    for start in range(0, order.size, batch_size):
        stop = min(start + batch_size, order.size)
        heads.gradient[:] = 0
        for row in range(start, stop, ROWS):
            residuals(heads, samples, order, row, stop)
            add_gradient(heads, samples.features, 2.0 / (stop - start))
        powers = adamw.update(heads.state, heads.gradient, optimiser, powers)
    return powers


@kernel
def train(heads: Heads, samples: Samples, orders: Array, batch_size: int, optimiser: AdamW) -> None:
    """One epoch per row of orders (E, n)."""
    powers = adamw.powers(optimiser, 0)
    for epoch in range(len(orders)):
        powers = train_epoch(heads, samples, orders[epoch], batch_size, optimiser, powers)


@kernel
def squared_error(heads: Heads, samples: Samples, order: Array) -> Array:
    """Sum of squared residuals of every lane, float64."""
    total = np.zeros(LANES)
    for start in range(0, order.size, ROWS):
        residuals(heads, samples, order, start, order.size)
        for k in range(ROWS):
            for lane in range(LANES):
                residual = np.float64(heads.residuals[k, lane])
                total[lane] += residual * residual
    return total


@kernel
def train_averaged(
    heads: Heads,
    samples: Samples,
    orders: Array,
    batch_size: int,
    optimiser: AdamW,
    validation: Samples,
    average: Array,
) -> None:
    """As train; average (h + 1, LANES), float64, receives each lane's mean weights over its epochs.

    An epoch weighs error ** (-m / 2), its likelihood on the m validation samples.  Sums are kept relative to the
    heaviest epoch so far; an epoch whose error is not finite weighs nothing, and NaN is left where all are so.
    """
    powers = adamw.powers(optimiser, 0)
    heaviest, total = np.full(LANES, -np.inf), np.zeros(LANES)
    everyone = np.arange(len(validation.labels))
    average[:] = 0
    for epoch in range(len(orders)):
        powers = train_epoch(heads, samples, orders[epoch], batch_size, optimiser, powers)
        error = squared_error(heads, validation, everyone)
        for lane in range(LANES):
            if not np.isfinite(error[lane]):
                continue
            weight = -0.5 * everyone.size * np.log(max(error[lane], SMALLEST))
            if weight > heaviest[lane]:
                shrunk = np.exp(heaviest[lane] - weight)
                heaviest[lane], total[lane] = weight, total[lane] * shrunk
                for unit in range(len(average)):
                    average[unit, lane] *= shrunk
            share = np.exp(weight - heaviest[lane])
            total[lane] += share
            for unit in range(len(average)):
                average[unit, lane] += share * np.float64(heads.state.parameters[unit, lane])
    for lane in range(LANES):
        for unit in range(len(average)):
            average[unit, lane] = average[unit, lane] / total[lane] if total[lane] > 0 else np.nan


@kernel
def predict(features: Array, head: Array) -> Array:
    """features (n, h) @ head[:h] + head[h] in float64, summed unit after unit."""
    width = features.shape[1]
    predicted = np.empty(len(features))
    for row in range(len(features)):
        total = np.float64(head[width])
        for unit in range(width):
            total += np.float64(features[row, unit]) * np.float64(head[unit])
        predicted[row] = total
    return predicted
