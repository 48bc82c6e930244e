"""Pretraining of a ReLU representation on classification tasks: as mlp.pretrain, with softmax heads and cross-entropy.

Heads of T tasks are (T, h + 1, k), the bias in row h, as in models.softmax; labels are distributions (T, N, k).
"""

from typing import NamedTuple

import numpy as np

from pipeline.models import adamw, kernels, mlp
from pipeline.models.adamw import AdamW, State
from pipeline.models.compiled import kernel
from pipeline.models.lanes import LANES, ROWS, aligned, gate, load, padded, splat, store
from pipeline.models.mlp import Moments, Representation
from pipeline.models.softmax_kernels import exponential
from pipeline.theory.divergence import checked

Array = np.ndarray


class Tasks(NamedTuple):
    """T pretraining tasks of k classes on one representation."""

    heads: Array  # (T, k, W + LANES), padded, the bias in column W
    inputs: Array  # (T, N, d)
    labels: Array  # (T, N, k)


def pretrain(
    network: Representation,
    moments: Moments,
    step: int,
    heads: Array,
    inputs: Array,
    labels: Array,
    orders: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    batch_size: int,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> tuple[Representation, Moments, int, Array]:
    """Train the representation on given and frozen heads, one step per batch, task after task in each epoch.

    orders (E, T, N): for each epoch a permutation of each task's samples.
    Returns network, moments, step and the mean batch loss of each epoch (E,); hand the first three back to go on.
    """
    tasks = _tasks(network, heads, inputs, labels)
    orders = np.ascontiguousarray(orders, dtype=np.int64)
    if orders.ndim != 3 or orders.shape[1:] != labels.shape[:2] or orders.min(initial=0) < 0:
        raise ValueError(f"orders have shape {orders.shape}, expected (epochs, {labels.shape[0]}, {labels.shape[1]})")
    state = State(*map(mlp._pack, (network, *moments)))
    room = kernels.buffers(state.parameters, mlp._dimension(network), len(network.biases), padded(batch_size, ROWS))
    losses = np.zeros(len(orders))
    optimiser = AdamW(learning_rate, weight_decay, *betas, eps)
    step = _sequential(state, step, optimiser, tasks, orders, batch_size, room, losses)
    if not np.isfinite(losses).all() or not all(np.isfinite(packed).all() for packed in state):
        raise FloatingPointError("classification pretraining diverged")
    trained, *new_moments = (mlp._unpack(packed, network) for packed in state)
    return trained, tuple(new_moments), step, losses


@kernel
def _slopes(heads: Array, labels: Array, chosen: Array, room: kernels.Buffers, logits: Array) -> float:
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
def _sequential(
    state: State,
    step: int,
    optimiser: AdamW,
    tasks: Tasks,
    orders: Array,
    batch_size: int,
    room: kernels.Buffers,
    losses: Array,
) -> int:
    epochs, count, samples = orders.shape
    steps = count * -(-samples // batch_size)
    powers = adamw.powers(optimiser, step)
    logits = np.zeros(tasks.heads.shape[1], dtype=np.float32)
    for epoch in range(epochs):
        for task in range(count):
            for start in range(0, samples, batch_size):
                chosen = orders[epoch, task, start : start + batch_size]
                rows = -(-chosen.size // ROWS) * ROWS
                kernels.gather(tasks.inputs[task], chosen, room, 0)
                kernels.forward(state.parameters, room, rows)
                losses[epoch] += _slopes(tasks.heads[task], tasks.labels[task], chosen, room, logits) / steps
                kernels.backward(state.parameters, room, rows)
                powers = adamw.update(state, room.gradient, optimiser, powers)
    return step + epochs * steps


def _tasks(network: Representation, heads: Array, inputs: Array, labels: Array) -> Tasks:
    labels = checked("labels", labels).astype(np.float32)
    width, classes = network.biases.shape[1], labels.shape[-1]
    expected = (len(labels), width + 1, classes)
    if heads.shape != expected or inputs.shape[:2] != labels.shape[:2]:
        raise ValueError(
            f"heads {heads.shape}, inputs {inputs.shape}: expected {expected} and {labels.shape[:2]} points"
        )
    wide = aligned(len(labels), classes, padded(width, LANES) + LANES)
    wide[..., :width] = heads[:, :-1].transpose(0, 2, 1)
    wide[..., padded(width, LANES)] = heads[:, -1]
    return Tasks(wide, np.ascontiguousarray(inputs, dtype=np.float32), labels)
