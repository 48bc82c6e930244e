"""Pretrain the weak and the strong representation on the T pretraining tasks, and perturb the truth for panel c.

One item per seed with the representations named in panels.py and the training loss of each epoch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core import artifacts, streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.synthetic.common.panels import pack, unit, unpack
from pipeline.experiments.synthetic.settings import Perturbation, Pretraining, Settings
from pipeline.models.network import mlp

CHECKPOINT_EPOCHS = 50
ROLES = ("strong", "weak")  # the long one first, so that no core idles at the end


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


def pretrain(seed: int, role: str, data: Mapping[str, Arrays], settings: Pretraining, checkpoint: Path) -> Arrays:
    """Pretrain one representation, keeping its state every few epochs.

    Heads are given and frozen, labels are noiseless, the same tasks serve both roles (the authors' notebook).
    """
    tasks = data[unit(seed)]
    state = artifacts.read_item(checkpoint) if checkpoint.exists() else _start(seed, role, tasks, settings)
    for first in range(len(state["losses"]), settings.epochs, CHECKPOINT_EPOCHS):
        epochs = range(first, min(first + CHECKPOINT_EPOCHS, settings.epochs))
        state = _advance(state, seed, role, tasks, settings, epochs)
        artifacts.write_arrays(checkpoint, state)
    return {**pack(f"{role}_pretrained", unpack("network", state)), f"{role}_losses": state["losses"]}


def perturb(seed: int, truth: mlp.Representation, settings: Perturbation) -> Arrays:
    """The truth with independent Gaussian noise on its weights, and on its biases where asked for."""
    noisy = {}
    for role, sigma in (("weak", settings.weak_sigma), ("strong", settings.strong_sigma)):
        stream = streams.generator(seed, f"synthetic/perturbation-{role}")
        noise = {
            field: stream.normal(0, sigma, array.shape).astype(np.float32) for field, array in truth._asdict().items()
        }
        if not settings.biases:
            noise["biases"][:] = 0
        noisy.update(
            pack(f"{role}_perturbed", mlp.Representation(*(truth[i] + noise[f] for i, f in enumerate(truth._fields))))
        )
    return noisy


def _start(seed: int, role: str, tasks: Arrays, settings: Pretraining) -> Arrays:
    stream = streams.generator(seed, f"synthetic/{role}-initial")
    dimension, width = tasks["pretraining_inputs"].shape[-1], tasks["pretraining_heads"].shape[-1] - 1
    network = mlp.initialise(stream, dimension, width, getattr(settings, f"{role}_blocks"))
    zeros = mlp.Representation(*(np.zeros_like(array) for array in network))
    return {
        **pack("network", network),
        **pack("first_moment", zeros),
        **pack("second_moment", zeros),
        "step": np.zeros(1, np.int64),
        "losses": np.zeros(0, np.float32),
    }


def _advance(state: Arrays, seed: int, role: str, tasks: Arrays, settings: Pretraining, epochs: range) -> Arrays:
    # A stream for each epoch, so that the chunks in which the work is done leave no trace.
    orders = np.stack(
        [
            streams.orders(
                streams.generator(seed, f"synthetic/{role}-order-{epoch}"), *tasks["pretraining_truth"].shape
            )
            for epoch in epochs
        ]
    )
    moments = (unpack("first_moment", state), unpack("second_moment", state))
    try:
        network, moments, step, losses = mlp.pretrain(
            unpack("network", state),
            moments,
            int(state["step"][0]),
            *(tasks[f"pretraining_{part}"] for part in ("heads", "inputs", "truth")),
            orders,
            schedule=settings.schedule,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            batch_size=settings.batch_size,
        )
    except FloatingPointError as error:
        remedy = "lower represent.learning_rate in {where}"
        raise InputError(f"{{experiment}} seed {seed}, {role} representation: {error}; {remedy}") from None
    return {
        **pack("network", network),
        **pack("first_moment", moments[0]),
        **pack("second_moment", moments[1]),
        "step": np.array([step], np.int64),
        "losses": np.concatenate([state["losses"], losses.astype(np.float32)]),
    }
