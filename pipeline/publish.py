"""Copy a study's cells into git with a manifest of how they came about.  artifacts/results/ -> published/<study>

python -m pipeline.publish realizability
python -m pipeline.publish --check        what each snapshot is older than: settings (an error), code
"""

import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

from pipeline.core import artifacts, cells, experiments, keys, stage
from pipeline.core.errors import InputError, command_line, words
from pipeline.core.experiments import BLOCKS, Experiment

REVISION = Path(".revision")  # written by pipeline.pack, for a machine without git history
PACKAGES = ("numpy", "numba", "scipy", "torch", "transformers", "rdkit", "datasets", "gguf", "peft")


def main() -> None:
    """Publish the study named on the command line, or say how old the snapshots are."""
    given = words(__doc__)
    if len(given) != 1:
        raise InputError("usage: python -m pipeline.publish <study>, or --check")
    if given == ["--check"]:
        check()
    else:
        publish(given[0])


def check() -> None:
    """Print what each snapshot is older than.  Raises InputError that names one made with other settings."""
    old = {}
    for snapshot in sorted(artifacts.PUBLISHED.iterdir()):
        reasons = older_than(snapshot.name)
        print(f"{snapshot}: {'; '.join(reasons) or 'made with the present settings and code'}")
        if stale(snapshot.name):
            old[snapshot] = artifacts.read_item(snapshot / "manifest.json")["study"]
    for snapshot, study in old.items():
        raise InputError(f"{snapshot} was made with other settings; run `python -m pipeline.publish {study}` anew")


def publish(study: str) -> Path:
    """Copy cells and metrics, and write the manifest; returns the folder."""
    experiment = experiments.load(study)
    if not experiment.is_study:
        raise InputError(f"{study} belongs to the main job, whose results git keeps; name a study")
    source, target = stage.results(experiment), folder(study)
    if not source.exists():
        raise InputError(f"{source} is missing; run `python -m pipeline.study {study}`, which publishes as well")
    cells.read(source / "cells.csv")
    artifacts.read_item(source / "metrics.json")
    written = manifest(experiment)
    for name in ("cells.csv", "metrics.json"):
        artifacts.write_bytes(target / name, (source / name).read_bytes())
    artifacts.write_json(target / "manifest.json", written)
    return target


def manifest(experiment: Experiment) -> dict[str, Any]:
    """Code, settings, data hash, device, versions, wall time and, where measured, throughput of a study's run."""
    study = experiment.name
    runtimes = sorted(artifacts.RUNTIME.glob(f"*-{study}.json"))
    measured = throughput(study)
    return {
        "study": study,
        "revision": revision().split("+")[0],
        "uncommitted_changes": revision().endswith("+changes"),
        "code_sha256": code(experiment),
        "params": experiment.settings.model_dump(mode="json"),
        "data_sha256": artifacts.sha256(artifacts.Bundle(stage.folder("data", experiment)).folder),
        "device": device(measured),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        **({"throughput": measured} if measured else {}),
        "seconds": {path.stem.removesuffix(f"-{study}"): artifacts.read_item(path)["seconds"] for path in runtimes},
    }


def folder(study: str) -> Path:
    """Where a study is published."""
    return artifacts.PUBLISHED / study


def stale(study: str) -> bool:
    """Whether a published snapshot was made with other settings than its file in studies/ holds now."""
    path = folder(study) / "manifest.json"
    recorded = artifacts.read_item(path)
    for key in ("study", "params"):
        if key not in recorded:
            raise InputError(f"{path} lacks {key}; restore it with `git checkout {path}`")
    return recorded["params"] != experiments.load(recorded["study"]).settings.model_dump(mode="json")


def revision() -> str:
    """Revision of the code, with `+changes` when it was changed since; of a packed copy, that of its origin."""
    if REVISION.exists():
        return REVISION.read_text(encoding="utf-8")
    return _git("rev-parse", "HEAD") + ("+changes" if _git("status", "--porcelain", "--", "pipeline") else "")


def older_than(study: str) -> list[str]:
    """What has changed since a snapshot was made; a snapshot from before code was recorded says that."""
    recorded = artifacts.read_item(folder(study) / "manifest.json")
    found = [f"older than the settings in {experiments.load(recorded['study']).path}"] if stale(study) else []
    if "code_sha256" not in recorded:
        return [*found, "code not recorded"]
    if recorded["code_sha256"] != code(experiments.load(recorded["study"])):
        found.append("older than the code it claims")
    return found


def code(experiment: Experiment) -> str:
    """Hash of every module that the stages of a study load."""
    verbs = (verb for verb in BLOCKS if experiment.has(verb))
    return keys.code({path for verb in verbs for path in keys.sources(experiment, verb)})


def throughput(study: str) -> dict[str, Any]:
    """Records of the trainings of a study, by name; empty where none was measured."""
    paths = sorted((artifacts.RUNTIME / "throughput" / study).glob("*.json"))
    return {path.stem: artifacts.read_item(path) for path in paths}


def device(measured: dict[str, Any]) -> str:
    """The GPUs that trainings ran on; the processor where none did."""
    gpus = sorted({record["device"] for record in measured.values()} - {"CPU"})
    return ", ".join([*gpus, f"{platform.machine()} CPU"])


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    command_line(main)
