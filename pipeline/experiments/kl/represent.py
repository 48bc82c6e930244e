"""Pretrain the weak and the strong representation on the T classification tasks, and perturb the truth for panel c.

One item per seed with the representations named in synthetic's panels and the training loss of each epoch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core import artifacts, streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.kl.settings import Represent, Settings
from pipeline.experiments.synthetic.common.panels import pack, unit, unpack
from pipeline.experiments.synthetic.represent import CHECKPOINT_EPOCHS, ROLES, perturb
from pipeline.models.network import mlp
from pipeline.models.softmax import pretraining


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Representations of every seed."""
    data, seeds = upstream["data"], settings.data.every_seed()
    names = {(seed, role): f"{unit(seed)}-{role}" for role in ROLES for seed in seeds}
    trained = pool.map(
        pretrain,
        {name: (seed, role, data, settings.represent, pool.checkpoint(name)) for (seed, role), name in names.items()},
    )
    return {
        unit(seed): {
            **trained[names[seed, "weak"]],
            **trained[names[seed, "strong"]],
            **perturb(seed, unpack("truth", data[unit(seed)]), settings.represent.perturbation),
        }
        for seed in seeds
    }


def pretrain(seed: int, role: str, data: Mapping[str, Arrays], settings: Represent, checkpoint: Path) -> Arrays:
    """Pretrain one representation on given and frozen heads, keeping its state every few epochs."""
    tasks = data[unit(seed)]
    state = artifacts.read_item(checkpoint) if checkpoint.exists() else _start(seed, role, tasks, settings)
    for first in range(len(state["losses"]), settings.epochs, CHECKPOINT_EPOCHS):
        epochs = range(first, min(first + CHECKPOINT_EPOCHS, settings.epochs))
        state = _advance(state, seed, role, tasks, settings, epochs)
        artifacts.write_arrays(checkpoint, state)
    return {**pack(f"{role}_pretrained", unpack("network", state)), f"{role}_losses": state["losses"]}


def _start(seed: int, role: str, tasks: Arrays, settings: Represent) -> Arrays:
    stream = streams.generator(seed, f"kl/{role}-initial")
    dimension, width = tasks["pretraining_inputs"].shape[-1], tasks["pretraining_heads"].shape[1] - 1
    network = mlp.initialise(stream, dimension, width, getattr(settings, f"{role}_blocks"))
    return _state(network, mlp.initial_moments(network), 0, np.zeros(0))


def _advance(state: Arrays, seed: int, role: str, tasks: Arrays, settings: Represent, epochs: range) -> Arrays:
    # A stream for each epoch, so that the chunks in which the work is done leave no trace.
    shape = tasks["pretraining_truth"].shape[:2]
    orders = [streams.orders(streams.generator(seed, f"kl/{role}-order-{epoch}"), *shape) for epoch in epochs]
    moments = (unpack("first_moment", state), unpack("second_moment", state))
    try:
        network, moments, step, losses = pretraining.pretrain(
            unpack("network", state),
            moments,
            int(state["step"][0]),
            *(tasks[f"pretraining_{part}"] for part in ("heads", "inputs", "truth")),
            np.stack(orders),
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            batch_size=settings.batch_size,
        )
    except FloatingPointError as error:
        remedy = "lower represent.learning_rate in {where}"
        raise InputError(f"{{experiment}} seed {seed}, {role} representation: {error}; {remedy}") from None
    return _state(network, moments, step, np.concatenate([state["losses"], losses]))


def _state(network: mlp.Representation, moments: mlp.Moments, step: int, losses: np.ndarray) -> Arrays:
    return {
        **pack("network", network),
        **pack("first_moment", moments[0]),
        **pack("second_moment", moments[1]),
        "step": np.array([step], np.int64),
        "losses": losses.astype(np.float32),
    }
