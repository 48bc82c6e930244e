"""Thousands of synthetic tasks on the device: panel c (perturbed truth) of the experiment `synthetic`.

The first few were computed by the kernels of a processor beforehand; their features, labels and heads are at hand, so
that both sides fit the same numbers.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.models.network import mlp
from pipeline.models.network.mlp import Representation
from pipeline.scale import heads, machine
from pipeline.session import steps
from pipeline.theory import misfit

SEED = 0
ROLES = ("truth", "weak", "strong")
SAME_FEATURES = 1e-4  # largest difference over the root mean square; sums of float32 in another order


class Start(NamedTuple):
    """Initial heads (K, h + 1), and the order of the samples in every epoch (E, n)."""

    initial: np.ndarray
    orders: np.ndarray


def inputs(tasks: int, chosen: Mapping[str, Any]) -> np.ndarray:
    """Inputs (K, n, d) as the experiment draws them; those of the first tasks do not depend on how many there are."""
    shape = (tasks, chosen["samples"], chosen["input_dimension"])
    stream = streams.generator(SEED, "synthetic/inputs")
    return stream.normal(0, chosen["input_deviation"], shape).astype(np.float32)


def task_heads(tasks: int, width: int) -> np.ndarray:
    """Heads (K, h + 1) of the true tasks; here, too, the first ones stay what they are."""
    return mlp.initialise_heads(streams.generator(SEED, "synthetic/task-heads"), tasks, width)


def start(tasks: int, chosen: Mapping[str, Any]) -> Start:
    """Where AdamW begins and how it goes through the samples; the same for the first tasks whatever their number."""
    stream = streams.generator(SEED, "gpu-tasks/orders")
    orders = streams.orders(stream, chosen["epochs"], chosen["samples"])
    return Start(mlp.initialise_heads(stream, tasks, chosen["width"]), orders)


def represented(network: Representation, given: np.ndarray) -> np.ndarray:
    """Features of all tasks by the device, (K, n, d) -> (K, n, h), float32."""
    outputs = torch.from_numpy(given).to(machine.device())
    for weights, biases in zip([network.first, *network.hidden], network.biases, strict=True):
        matrix, shift = (torch.from_numpy(array).to(outputs.device) for array in (weights, biases))
        outputs = torch.relu(outputs @ matrix.T + shift)
    return outputs.cpu().numpy()


def measured(tasks: int, chosen: Mapping[str, Any], prepared: Arrays) -> tuple[Arrays, dict[str, Any]]:
    """Gain and misfit of every task; seconds, and differences from the processor's predictions by kind of head."""
    few = slice(len(prepared["teachers"]))
    drawn = inputs(tasks, chosen)
    networks = {
        role: Representation(*(prepared[f"{role}.{name}"] for name in Representation._fields)) for role in ROLES
    }
    features = {role: represented(networks[role], drawn) for role in ROLES}
    truth = heads.predict(features["truth"], task_heads(tasks, chosen["width"])).astype(np.float32)
    for found, name in ((features["weak"], "weak"), (features["strong"], "strong"), (truth, "labels")):
        if heads.difference(found[few], prepared[name]) > SAME_FEATURES:
            raise InputError(
                f"the {name} of the first tasks are not those that were prepared; numpy draws other numbers"
            )
        found[few] = prepared[name]
    weak, strong = features["weak"], features["strong"]
    initial, orders = start(tasks, chosen)
    begun = steps.clock()
    teachers = heads.fit_adamw(weak, truth, initial, orders, **chosen["adamw"])
    labels = heads.predict(weak, teachers).astype(np.float32)
    taught = labels[few].copy()
    labels[few] = prepared["taught"]
    students = heads.fit_adamw(strong, labels, initial, orders, **chosen["adamw"])
    fitted = steps.clock()
    some = slice(chosen["exact_tasks"])
    projections = heads.fit_exact(strong[some], labels[some], **chosen["exact"])
    solved = steps.clock()
    differences = {
        "teachers": heads.difference(taught, prepared["taught"]),
        "students": heads.difference(
            *(heads.predict(strong[few], one) for one in (students[few], prepared["students"]))
        ),
        "exact": heads.difference(*(heads.predict(strong[few], one) for one in (projections[few], prepared["exact"]))),
    }
    shown = (heads.predict(weak, teachers), heads.predict(strong, students))
    outcome = {"gain": misfit.gain(truth, *shown), "misfit": misfit.misfit(*shown)}
    return outcome, {
        "tasks": tasks,
        "adamw_seconds": fitted - begun,
        "exact_tasks": len(projections),
        "exact_seconds": solved - fitted,
        "compared_tasks": len(prepared["teachers"]),
        "differences": differences,
        "agree": all(size <= heads.RTOL["exact" if kind == "exact" else "adamw"] for kind, size in differences.items()),
        "correlation_of_gain_and_misfit": float(np.corrcoef(outcome["gain"], outcome["misfit"])[0, 1]),
    }
