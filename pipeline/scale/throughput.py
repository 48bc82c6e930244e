"""How fast a training is: tokens a second, share of the device's peak, memory, energy.  Never part of a result.

Model FLOPs of a token, forward and backward (Kaplan et al. 2020; attention as in Chowdhery et al. 2022, appendix B):
6 N for the N weights of the matrices that the token passes, and 12 * layers * hidden * length for the two products of
its attention.  Reading an embedding table is no product; what is computed again or for padding does not count.
MFU is model FLOPs a second over the device's dense bfloat16 peak.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from pipeline.core import artifacts

FOLDER = artifacts.RUNTIME / "throughput"
# Dense bfloat16 FLOP a second as the vendor's data sheets state them (half of the figure "with sparsity").
PEAKS = (
    (r"H200(?! NVL)", 989e12),
    (r"H100 NVL", 835e12),
    (r"H100 PCIe", 756e12),
    (r"H100", 989e12),
    (r"A100", 312e12),
)
SETTLING = 10  # first steps of a run, which compile and warm up; they are not timed


class Meter:
    """Counts tokens and seconds of a training in this process, after its first steps; writes one JSON file."""

    def __init__(self, flops_per_token: float, path: Path) -> None:
        self.flops_per_token, self.path = flops_per_token, path
        self.device, self.processes = torch.device("cpu"), 1
        self.steps, self.tokens, self.started = -SETTLING, 0, 0.0
        self.energy: float | None = None

    @contextmanager
    def counting(self, device: torch.device, processes: int) -> Iterator[None]:
        """Around all steps; at the end, also an early one, the record is written if anything was timed."""
        self.device, self.processes = device, processes
        try:
            yield
        finally:
            wait(device)
            seconds = time.perf_counter() - self.started
            if self.steps > 0:
                artifacts.write_json(self.path, self.record(seconds))

    def before_step(self, tokens: int) -> None:
        """A step over ``tokens`` tokens is about to begin."""
        if self.steps == 0:
            wait(self.device)
            if self.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(self.device)
            self.started, self.energy = time.perf_counter(), joules(self.device)
        if self.steps >= 0:
            self.tokens += tokens
        self.steps += 1

    def record(self, seconds: float) -> dict[str, Any]:
        """Rates as plain values; empty (None) where something is not known, for nothing is guessed.

        Rates are of all devices together; memory and energy are of the first one.
        """
        name, rate = device_name(self.device), self.tokens / seconds
        peak, now = peak_flops(name), joules(self.device)
        return {
            "device": name,
            "devices": self.processes,
            "torch": torch.__version__,
            "timed_steps": self.steps,
            "timed_seconds": seconds,
            "tokens_per_second": rate,
            "flops_per_token": self.flops_per_token,
            "peak_flops": peak,
            "mfu": None if peak is None else rate * self.flops_per_token / (peak * self.processes),
            "peak_memory_bytes": peak_memory(self.device),
            "joules": None if self.energy is None or now is None else now - self.energy,
        }


def place(study: str, name: str) -> Path:
    """Where the record of a study's training is written."""
    return FOLDER / study / f"{name}.json"


def flops_per_token(matrix_weights: int, layers: int, hidden: int, length: float) -> float:
    """Model FLOPs of one token, forward and backward, at a mean (over tokens) sequence length."""
    return 6.0 * matrix_weights + 12.0 * layers * hidden * length


def device_name(device: torch.device) -> str:
    """`NVIDIA H100 80GB HBM3` and the like; `CPU` for the processor."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def peak_flops(name: str) -> float | None:
    """Dense bfloat16 peak of a device; None for one that is not in the table."""
    return next((peak for pattern, peak in PEAKS if re.search(pattern, name)), None)


def peak_memory(device: torch.device) -> int | None:
    """Most bytes that tensors took on a GPU; None for the processor."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def joules(device: torch.device) -> float | None:
    """Energy that a GPU has used since its driver started; None where it cannot be read."""
    if device.type != "cuda":
        return None
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        return pynvml.nvmlDeviceGetTotalEnergyConsumption(pynvml.nvmlDeviceGetHandleByUUID(uuid)) / 1000
    except pynvml.NVMLError:
        return None
