"""Where and how a training runs.  All of it comes from the environment, because none of it is part of a result.

W2S_DEVICE              cpu (default), cuda, cuda:1
W2S_DEVICES             GPUs that train one model together (devices.py), by default 1
W2S_MICRO_BATCH         examples the device takes at once; by default the whole batch of a step
W2S_COMPILE             1 or 0: torch.compile of the repeated blocks; by default 1 on a GPU and 0 elsewhere
W2S_CHECKPOINT_SECONDS  time between two checkpoints, by default 300
W2S_TIME_BUDGET         seconds this process may train; it then stops with its state kept, by default no limit
"""

import os
import time
from typing import NamedTuple

import torch

from pipeline.core.errors import InputError

STARTED = time.monotonic()  # of this process, or as good as


class Machine(NamedTuple):
    """Device, examples taken at once (0: all), compilation, seconds between checkpoints, and the end of the time."""

    device: torch.device
    micro_batch: int
    compile: bool
    checkpoint_seconds: float
    deadline: float  # on the clock of time.monotonic


def from_environment() -> Machine:
    """The machine that the environment names.  Raises InputError for a device that is not there."""
    chosen = device()
    return Machine(
        chosen,
        int(_number("W2S_MICRO_BATCH", 0)),
        bool(_number("W2S_COMPILE", float(chosen.type == "cuda"))),
        _number("W2S_CHECKPOINT_SECONDS", 300),
        STARTED + _number("W2S_TIME_BUDGET", float("inf")),
    )


def device() -> torch.device:
    """The device named by W2S_DEVICE."""
    text = os.environ.get("W2S_DEVICE") or "cpu"
    try:
        chosen = torch.device(text)
    except RuntimeError:
        raise InputError(f"W2S_DEVICE is '{text}', which torch does not know; use cpu or cuda") from None
    if chosen.type not in ("cpu", "cuda"):
        raise InputError(f"W2S_DEVICE is '{text}'; use cpu or cuda")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"W2S_DEVICE is '{text}', but torch {torch.__version__} sees {torch.cuda.device_count()} GPUs; "
            "install a torch built for CUDA, or unset W2S_DEVICE"
        )
    return chosen


def moved(tensor: torch.Tensor, target: torch.device) -> torch.Tensor:
    """A tensor of the host on a device, without waiting until the device has done what it was given before."""
    return tensor.pin_memory().to(target, non_blocking=True) if target.type == "cuda" else tensor


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if not value >= 0:
        raise InputError(f"{name} is '{text}'; give a number of at least 0, or unset it")
    return value
