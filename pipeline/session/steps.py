"""What the steps of a session share: where things lie, the device check, how a step runs in a process of its own."""

import importlib.metadata
import lzma
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.numpy import load, save

from pipeline.core import artifacts
from pipeline.core.artifacts import Arrays
from pipeline.scale import machine, throughput

# In the prepared folder, which is the working folder there.
MATERIAL, STATE = Path("material"), Path("state")
SETTINGS = MATERIAL / "session.json"
PACKAGES = ("numpy", "torch", "transformers", "accelerate", "safetensors", "tokenizers", "triton")
PRODUCTS, SIZE, TINY = 10, 8192, 256  # matrix products of the device check, and their side on a GPU and elsewhere


class Call(NamedTuple):
    """What a step is told: where its files go, and how long each side of the benchmark may train."""

    out: Path
    benchmark: float


Step = Callable[[Call], Mapping[str, Any]]


def run(steps: Mapping[str, Step]) -> None:
    """Entry point of a process: run one step and keep its record.  <step> <out> <seconds of the benchmark>"""
    name, out, benchmark = sys.argv[1:]
    STATE.mkdir(exist_ok=True)
    artifacts.write_json(record_of(name), dict(steps[name](Call(Path(out), float(benchmark)))))


def settings() -> dict[str, Any]:
    """What was prepared, as plain values."""
    return artifacts.read_item(SETTINGS)


def record_of(step: str) -> Path:
    """Where a step's record lies until it is put beside the others."""
    return STATE / f"{step}.json"


def left() -> float:
    """Seconds that this process may still work."""
    return machine.from_environment().deadline - time.monotonic()


def place(name: str) -> Path:
    """Where some arrays of the material lie, compressed."""
    return MATERIAL / f"{name}.safetensors.xz"


def compressed(arrays: Arrays) -> bytes:
    """Arrays as they travel."""
    return lzma.compress(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def material(name: str) -> Arrays:
    """Arrays of the material."""
    return load(lzma.decompress(place(name).read_bytes()))


def clock() -> float:
    """Seconds, when the device has done what it was given."""
    throughput.wait(machine.device())
    return time.perf_counter()


def device(call: Call) -> Mapping[str, Any]:
    """The device, what is installed, and its rate of bfloat16 products of random matrices.  InputError without it."""
    chosen = machine.device()
    size = SIZE if chosen.type == "cuda" else TINY
    one, other = (torch.randn(size, size, device=chosen).bfloat16() for _ in range(2))
    found = [one @ other for _ in range(3)][0]
    exact = one[:8].double().cpu() @ other.double().cpu()
    error = float((found[:8].double().cpu() - exact).norm() / exact.norm())
    begun = clock()
    for _ in range(PRODUCTS):
        found = one @ other
    seconds = clock() - begun
    return {
        "device": throughput.device_name(chosen),
        "memory_bytes": torch.cuda.get_device_properties(chosen).total_memory if chosen.type == "cuda" else None,
        "cuda": torch.version.cuda,
        "python": sys.version.split()[0],
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
        "matrix_product_flops_per_second": PRODUCTS * 2 * size**3 / seconds,
        "matrix_product_relative_error": error,
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
