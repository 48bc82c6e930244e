"""Tiny settings and a scratch repository for every test that runs stages."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]

# Workers are new processes: they find the package as this one does.
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])


def tiny_params() -> dict[str, Any]:
    """params.yaml of the repository with sizes that run in seconds."""
    params = YAML().load(ROOT / "params.yaml")
    for name in ("synthetic", "realizability"):
        block = params[name]
        block["data"].update(
            seeds=[0, 1], tasks=4, samples=96, evaluation_samples=128, pretraining_samples=64, pretraining_tasks=2
        )
        block["weak"]["epochs"] = block["strong"]["adamw"]["epochs"] = 20
        block["strong"]["exact"]["minimum_active"] = 4
    params["synthetic"]["represent"]["epochs"] = 120
    params["realizability"]["represent"].update(weak_epochs=3, strong_epochs=[2, 4])
    _shrink_molecules(params["molecules"])
    _shrink_classification(params["kl"], params["digits"])
    _shrink_molecules(params["molecules_study"])
    params["molecules_study"]["represent"]["seeds"] = [0, 1]
    params["molecules_study"]["weak"].update(epochs=2, patience=1)
    return params


def _shrink_molecules(block: dict[str, Any]) -> None:
    block["data"]["splits"] = ["122", "123"]
    block["data"]["corpus"].update(molecules=320, rarest_token=2)
    block["ladder"].update(hidden_sizes=[8, 16], morgan_bits=[8, 16])
    block["represent"]["strong"] = "pretrained"
    for fitted in (block["weak"], block["strong"]):
        if "radii" in fitted:
            fitted["radii"], fitted["adamw"]["epochs"] = [0.1, 1.0], 5
    block["weak"]["few_labels"]["counts"] = [10]
    if "steps" in block["weak"]["few_labels"]:
        block["weak"]["few_labels"]["steps"] = 20
    block["weak"]["few_labels"]["finetuning"].update(hidden_sizes=[8, 16], steps=2)


def _shrink_classification(kl: dict[str, Any], digits: dict[str, Any]) -> None:
    kl["data"].update(
        seeds=[0, 1], tasks=4, samples=96, evaluation_samples=128, pretraining_samples=64, pretraining_tasks=3
    )
    kl["represent"]["epochs"] = 120
    kl["weak"]["minimum_active"] = kl["strong"]["exact"]["minimum_active"] = 4
    kl["strong"]["curves"].update(tasks=3, samples=40, epochs=[2, 5], noise=[0.0, 0.5], sharpening=[1.0, 4.0])
    digits["data"]["splits"] = 2
    digits["represent"]["widths"] = [8, 16]
    digits["weak"]["epochs"] = 20
    digits["labels"].update(noise=[0.0, 0.5], sharpening=[1.0, 4.0])
    digits["strong"]["epochs"] = [1, 4]
    digits["strong"]["experts"].update(count=4, epochs=10)


@pytest.fixture
def write_params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Work in an empty folder whose params.yaml holds the tiny settings, with dotted keys changed at will."""
    monkeypatch.chdir(tmp_path)

    def write(**changes: Any) -> None:
        params = tiny_params()
        for dotted, value in changes.items():
            *path, last = dotted.split("__")
            block = params
            for part in path:
                block = block[part]
            block[last] = value
        YAML().dump(params, tmp_path / "params.yaml")

    write()
    return write


@pytest.fixture
def generator() -> np.random.Generator:
    """Random numbers of a test, the same at every run."""
    return np.random.default_rng(0)
