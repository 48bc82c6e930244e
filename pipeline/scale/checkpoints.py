"""The state of a training between two steps, in one safetensors file that is written whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline.core.errors import InputError

NAME = "state.safetensors"


def save(
    folder: Path, identity: dict[str, Any], step: int, model: nn.Module, optimiser: torch.optim.Optimizer, curve: Tensor
) -> None:
    """Keep weights, optimiser and the losses of the first ``step`` steps."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": tensor for name, tensor in state.items()}
    tensors["curve"] = curve
    # Tensors that share memory (tied embeddings) are stored once for each name.
    stored = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".{NAME}-{os.getpid()}"
    save_file(stored, scratch, metadata={"identity": json.dumps(identity, sort_keys=True), "step": str(step)})
    os.replace(scratch, folder / NAME)


def load(
    folder: Path, identity: dict[str, Any], model: nn.Module, optimiser: torch.optim.Optimizer, curve: Tensor
) -> int:
    """Put a kept state back in place; returns the steps already done, 0 where nothing was kept."""
    path = folder / NAME
    if not path.exists():
        return 0
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata()
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no mapping)
    except SafetensorError as error:
        raise InputError(f"{path} is damaged ({' '.join(str(error).split())}); delete it and run again") from None
    if json.loads(metadata["identity"]) != json.loads(json.dumps(identity)):
        raise InputError(f"{path} is the state of another training; delete it and run again")
    model.load_state_dict(_below("model.", tensors))
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _below("optimiser.", tensors).items():
        index, _, key = name.partition(".")
        states.setdefault(int(index), {})[key] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": states, "param_groups": groups})
    curve.copy_(tensors["curve"])
    return int(metadata["step"])


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
