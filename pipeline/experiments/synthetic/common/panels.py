"""The three panels: which representation is the weak one, which the strong one, and on which inputs a task is posed."""

from collections.abc import Container, Iterable
from typing import NamedTuple

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.models.network.mlp import Representation


class Panel(NamedTuple):
    """Names of the two representations that meet in a panel."""

    weak: str
    strong: str


PANELS = {
    "realizable": Panel(weak="weak_pretrained", strong="truth"),
    "pretrained": Panel(weak="weak_pretrained", strong="strong_pretrained"),
    "perturbed": Panel(weak="weak_perturbed", strong="strong_perturbed"),
}

# Where the inputs and true labels of each sample lie in the data bundle.
SAMPLES = {"reused": "inputs", "fresh": "fresh_inputs", "evaluation": "evaluation_inputs"}


def unit(seed: int) -> str:
    """Name of a seed's item in every bundle."""
    return f"seed-{seed}"


def control_unit(seed: int) -> str:
    """Name of the item of a seed's control teachers, and of what is made with them."""
    return f"controls-{seed}"


def with_controls(seeds: Iterable[int], bundle: Container[str]) -> list[int]:
    """The seeds that have control teachers in a bundle."""
    return [seed for seed in seeds if control_unit(seed) in bundle]


def pack(name: str, network: Representation) -> Arrays:
    """Arrays of a representation under its name, as stored."""
    return {f"{name}.{field}": array for field, array in network._asdict().items()}


def unpack(name: str, arrays: Arrays) -> Representation:
    """Representation stored under a name."""
    return Representation(*(arrays[f"{name}.{field}"] for field in Representation._fields))


def truth(data: Arrays, sample: str) -> np.ndarray:
    """True labels of a sample, shape (tasks, n)."""
    return data[SAMPLES[sample].replace("inputs", "truth")]
