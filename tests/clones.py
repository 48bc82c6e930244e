"""Scratch repositories in which the pipeline runs as a user would run it, and what they hold afterwards."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.conftest import ROOT, Tiny

DVC = (sys.executable, "-m", "dvc")
# What two runs must agree on; times and versions (artifacts/runtime, report) are for the reader.
OUTCOMES = (
    "results/*/*.csv",
    "results/*/metrics.json",
    "results/*/headline.json",
    "report/claims.json",
    "paper_figures/*",
    "artifacts/*/*/*",
)


def copy_repository(folder: Path) -> Path:
    """Working tree without what git ignores, as a repository of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    files = listed.stdout.split() if listed.returncode == 0 else _files_of_an_archive()
    clone = folder / "clone"
    for name in files:
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
    git(clone, "init", "-q")
    commit(clone, "copy")
    return clone


def git(folder: Path, *arguments: str) -> None:
    """A git command by an author who is nobody; it must succeed."""
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)


def commit(folder: Path, message: str) -> None:
    """Commit everything that git does not ignore."""
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message)


def tiny_repository(folder: Path) -> Path:
    """The same with sizes that run in seconds, and without any result."""
    clone = copy_repository(folder)
    Tiny().write(clone)
    for name in ("results", "paper_figures"):
        shutil.rmtree(clone / name, ignore_errors=True)
    return clone


def environment(**extra: str) -> dict[str, str]:
    """Of a command inside a clone: this interpreter first, the clone's own package and not this one's, one worker."""
    # Tests of a clone run for themselves: pytest-xdist's variables would have them share folders with all other runs.
    own = {key: value for key, value in os.environ.items() if key != "PYTHONPATH" and "XDIST" not in key}
    own["W2S_KERNELS"] = str(ROOT / "pipeline/models/network/__pycache__")  # compiled once for all clones
    own.setdefault("W2S_WORKERS", "1")  # a worker takes longer to start than tiny sizes take to run
    return {**own, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}", **extra}


def command(clone: Path, *words: str, **extra: str) -> str:
    """What a command prints in a clone, with these environment variables besides; it must succeed."""
    done = subprocess.run(words, cwd=clone, env=environment(**extra), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dvc(clone: Path, *arguments: str, **extra: str) -> str:
    """The same of a DVC command."""
    return command(clone, *DVC, *arguments, **extra)


def running(shown: str) -> list[str]:
    """Stages that DVC says it runs."""
    return [line.split("'")[1] for line in shown.splitlines() if line.startswith("Running stage")]


def outcomes(clone: Path) -> dict[str, str]:
    """sha256 of every file that a run must always make alike."""
    found = {path.relative_to(clone) for pattern in OUTCOMES for path in clone.glob(pattern) if path.is_file()}
    passing = [path for path in found if "partial" in path.parts or any(part[0] == "." for part in path.parts)]
    return {
        str(path): hashlib.sha256((clone / path).read_bytes()).hexdigest() for path in sorted(found.difference(passing))
    }


def unlike(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[str]:
    """Files that only one run made, or both made differently."""
    for name in sorted(first.keys() | second.keys()):
        if first.get(name) != second.get(name):
            yield name + ("" if name in first and name in second else " (only in one)")


def _files_of_an_archive() -> list[str]:
    hidden = {".venv", "artifacts", "executed", "__pycache__", ".pytest_cache", "tmp", "cache"}
    paths = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
    return [str(path) for path in paths if not hidden & set(path.parts)]
