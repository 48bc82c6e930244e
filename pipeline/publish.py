"""Copy a study's cells into git with a manifest of how they came about.  artifacts/results/ -> published/<study>

python -m pipeline.publish realizability
python -m pipeline.publish realizability --replace    also where git keeps a snapshot that other settings made
python -m pipeline.publish --check                    what each snapshot is older than: settings (an error), code
"""

import argparse
import importlib.metadata
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline import git
from pipeline.core import artifacts, cells, experiments, keys, stage
from pipeline.core.errors import InputError, command_line
from pipeline.core.experiments import BLOCKS, Experiment

REVISION = Path(".revision")  # written by pipeline.pack, for a machine without git history
PACKAGES = ("numpy", "numba", "scipy", "torch", "transformers", "rdkit", "datasets", "gguf", "peft")


def main() -> None:
    """Publish the study named on the command line, or say how old the snapshots are."""
    parser = argparse.ArgumentParser(
        "python -m pipeline.publish", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", nargs="?")
    parser.add_argument("--replace", action="store_true", help="a snapshot that git keeps, by one of other settings")
    parser.add_argument("--check", action="store_true", help="say how old the snapshots are")
    chosen = parser.parse_args()
    if chosen.check == bool(chosen.study):
        raise InputError("usage: python -m pipeline.publish <study>, or --check")
    if chosen.check:
        check()
    else:
        publish(chosen.study, chosen.replace)


def check() -> None:
    """Print what each snapshot is older than.  Raises InputError that names one made with other settings."""
    old = {}
    for snapshot in sorted(artifacts.PUBLISHED.iterdir()):
        reasons = older_than(snapshot.name)
        print(f"{snapshot}: {'; '.join(reasons) or 'made with the present settings and code'}")
        if stale(snapshot.name):
            old[snapshot] = artifacts.read_item(snapshot / "manifest.json")["study"]
    for snapshot, study in old.items():
        command = f"python -m pipeline.publish {study} --replace"
        raise InputError(f"{snapshot} was made with other settings; if these are meant, run `{command}`")


def publish(study: str, replace: bool = False) -> Path:
    """Copy cells and metrics, and write the manifest; returns the folder.

    Raises InputError where that would replace what git keeps of other settings, see `guard`, unless told to.
    """
    experiment = experiments.load(study)
    if not experiment.is_study:
        raise InputError(f"{study} belongs to the main job, whose results git keeps; name a study")
    source, target = stage.results(experiment), folder(study)
    if not source.exists():
        raise InputError(f"{source} is missing; run `python -m pipeline.study {study}`, which publishes as well")
    cells.read(source / "cells.csv")
    metrics = artifacts.read_item(source / "metrics.json")
    written = manifest(experiment) | ({"left_out": metrics["left_out"]} if "left_out" in metrics else {})
    guard(experiment, replace, metrics.get("left_out", []))
    for name in ("cells.csv", "metrics.json"):
        artifacts.write_bytes(target / name, (source / name).read_bytes())
    artifacts.write_json(target / "manifest.json", written)
    return target


def guard(experiment: Experiment, replace: bool = False, left_out: Sequence[str] = ()) -> None:
    """Raise InputError where publishing would replace a snapshot that git keeps by one of other settings, or by less.

    Claims and figures stand on it: what a changed study gives belongs beside it, under a name of its own.
    """
    target, name = folder(experiment.name), experiment.name
    if replace or not (target / "manifest.json").exists() or not _is_kept(target):
        return
    again = f"`python -m pipeline.publish {name} --replace` replaces it"
    if stale(name):
        beside = f"copy {experiment.path} to a name of its own (with `code: {', '.join(experiment.code)}` in it)"
        raise InputError(f"{target} was made with other settings, and claims stand on it; {beside}; {again}")
    if left_out:
        raise InputError(f"{target} holds {', '.join(left_out)}, which were left out here; set W2S_MIRROR; {again}")


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
    head = git.text("rev-parse", "HEAD")
    if head is None:
        return "unknown+changes"  # neither a clone nor a packed copy
    return head + ("+changes" if git.text("status", "--porcelain", "--", "pipeline") else "")


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


def _is_kept(target: Path) -> bool:
    """Whether git keeps a snapshot; without git, as in an unpacked archive, all are taken to be kept."""
    return git.text("ls-files", str(target)) != ""


if __name__ == "__main__":
    command_line(main)
