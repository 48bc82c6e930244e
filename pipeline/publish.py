"""Copy a study's cells into git with a manifest of how they came about.  results/<study> -> published/<study>

python -m pipeline.publish realizability
python -m pipeline.publish --check        are the snapshots of the settings that params.yaml holds now?
"""

import importlib.metadata
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline import cells
from pipeline.core import artifacts, config
from pipeline.core.errors import InputError, command_line

PACKAGES = ("numpy", "numba", "scipy", "torch", "transformers", "rdkit", "datasets", "gguf", "peft")


def main() -> None:
    """Publish the study named on the command line, or check all snapshots."""
    if len(sys.argv) != 2:
        raise InputError("usage: python -m pipeline.publish <study>, or --check")
    if sys.argv[1] == "--check":
        check()
    else:
        publish(sys.argv[1])


def check() -> None:
    """Raises InputError that names a snapshot made with other settings, or a manifest that cannot be read."""
    for snapshot in sorted(artifacts.PUBLISHED.iterdir()):
        if stale(snapshot.name):
            study = artifacts.read_item(snapshot / "manifest.json")["study"]
            raise InputError(f"{snapshot} was made with other settings; run `python -m pipeline.publish {study}` anew")


def publish(study: str) -> Path:
    """Copy cells and metrics, and write the manifest; returns the folder."""
    config.load(study)
    source, target = artifacts.RESULTS / study, folder(study)
    cells.read(source / "cells.csv")
    artifacts.read_item(source / "metrics.json")
    written = manifest(study)
    for name in ("cells.csv", "metrics.json"):
        artifacts.write_bytes(target / name, (source / name).read_bytes())
    artifacts.write_json(target / "manifest.json", written)
    return target


def manifest(study: str) -> dict[str, Any]:
    """Code revision, settings, data hash, device, versions and wall time of a study's run."""
    runtimes = sorted(artifacts.RUNTIME.glob(f"*-{study}.json"))
    return {
        "study": study,
        "revision": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--", "pipeline")),
        "params": config.load(study).model_dump(mode="json"),
        "data_sha256": artifacts.sha256(artifacts.Bundle(artifacts.folder("data", study)).folder),
        "device": f"{platform.machine()} CPU",
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "seconds": {path.stem.removesuffix(f"-{study}"): artifacts.read_item(path)["seconds"] for path in runtimes},
    }


def folder(study: str) -> Path:
    """Where a study is published; `molecules_study`, a longer run of `molecules`, as published/molecules."""
    return artifacts.PUBLISHED / study.removesuffix("_study")


def stale(study: str) -> bool:
    """Whether a published snapshot was made with other settings than params.yaml holds now."""
    path = folder(study) / "manifest.json"
    recorded = artifacts.read_item(path)
    for key in ("study", "params"):
        if key not in recorded:
            raise InputError(f"{path} lacks {key}; restore it with `git checkout {path}`")
    return recorded["params"] != config.load(recorded["study"]).model_dump(mode="json")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    command_line(main)
