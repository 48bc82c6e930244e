"""Pretraining of a ReLU representation on classification tasks: network.mlp.pretrain with softmax heads.

Heads of T tasks are (T, h + 1, k), the bias in row h, as in heads; labels are distributions (T, N, k).
"""

import numpy as np

from pipeline.models.network import kernels as network_kernels
from pipeline.models.network import mlp
from pipeline.models.network.adamw import AdamW, State
from pipeline.models.network.lanes import LANES, ROWS, aligned, padded
from pipeline.models.network.mlp import Moments, Representation
from pipeline.models.softmax import kernels
from pipeline.theory.divergence import checked

Array = np.ndarray


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
    room = network_kernels.buffers(
        state.parameters, mlp._dimension(network), len(network.biases), padded(batch_size, ROWS)
    )
    losses = np.zeros(len(orders))
    optimiser = AdamW(learning_rate, weight_decay, *betas, eps)
    step = kernels.pretrain(state, step, optimiser, tasks, orders, batch_size, room, losses)
    if not np.isfinite(losses).all() or not all(np.isfinite(packed).all() for packed in state):
        raise FloatingPointError("classification pretraining diverged")
    trained, first, second = (mlp._unpack(packed, network) for packed in state)
    return trained, (first, second), step, losses


def _tasks(network: Representation, heads: Array, inputs: Array, labels: Array) -> kernels.Tasks:
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
    return kernels.Tasks(wide, np.ascontiguousarray(inputs, dtype=np.float32), labels)
