"""Kill a run at random moments as a power cut would, resume it, and compare with a run that nobody disturbed.

python -m tests.kill_resume [--kills 20] [--seed 0] [--keep folder] [stages]      about 10 minutes for all stages
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from safetensors.numpy import load

from tests.clones import DVC, environment, outcomes, tiny_repository, unlike

ENDS = {".pdf": b"%%EOF\n", ".png": b"IEND\xaeB`\x82", ".json": b"\n", ".csv": b"\n"}
REPRO = (*DVC, "repro")
REPRODUCE = (sys.executable, "-m", "pipeline.reproduce")  # the same, and dvc.lock mended before


@dataclass
class Run:
    """A clone in which one command is started, killed and started again, and what was seen of it."""

    clone: Path
    command: Sequence[str]
    kills: int = 0
    left_over: int = 0  # files under a temporary name, right after a kill
    torn: int = 0  # times that dvc.lock could not be read after a kill
    units: dict[Path, tuple[int, int]] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def attempt(self, seconds: float) -> bool:
        """Start the command and kill all of it after some seconds; True when it came to its end before."""
        log = self.clone.parent / f"attempt-{self.kills:02}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                self.command, cwd=self.clone, env=environment(), stdout=stream, stderr=stream, start_new_session=True
            )
            try:
                code = process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                kill_everything(process, self.clone)
                self.kills += 1
                self._look(log)
                return False
        self._look(log)
        if code:
            self.complaints.append(f"attempt {self.kills}: exit code {code}, see {log}: {log.read_text()[-300:]}")
        return True

    def _look(self, log: Path) -> None:
        again = self.finished & started(log.read_text(errors="replace"))
        self.complaints += [f"attempt {self.kills}: {name} ran although its end was recorded" for name in sorted(again)]
        self.complaints += [f"attempt {self.kills}: {path} is half-written" for path in half_written(self.clone)]
        self.torn += recorded(self.clone) is None
        self.finished |= recorded(self.clone) or set()
        units = finished_units(self.clone)
        for path, identity in self.units.items():
            if path.exists() and units.get(path) != identity:
                self.complaints.append(f"attempt {self.kills}: {path.name} was computed twice")
        self.units = units
        self.left_over += sum(1 for path in temporary(self.clone) if path.is_file())


def main() -> int:
    """Exit code 0 when nothing is to complain about."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for both clones; by default they are thrown away")
    parser.add_argument("--longest", type=float, default=25, help="seconds until a kill, at most")
    parser.add_argument("--undisturbed", type=Path, help="clone in which all of these stages have run")
    parser.add_argument("stages", nargs="*", help="by default all")
    options = parser.parse_args()
    command = (*REPRO, *options.stages) if options.stages else REPRODUCE
    with tempfile.TemporaryDirectory() as scratch:
        home = options.keep or Path(scratch)
        whole = outcomes(options.undisturbed) if options.undisturbed else undisturbed(home / "whole", command)
        run = disturbed(home / "killed", command, options.kills, options.seed, options.longest)
        made = outcomes(run.clone)
        whole = {name: digest for name, digest in whole.items() if name in made} if options.undisturbed else whole
        run.complaints += [f"other bytes: {name}" for name in unlike(whole, made)]
        run.complaints += [f"left over: {path.relative_to(run.clone)}" for path in temporary(run.clone)]
    words = f"{run.kills} kills, seed {options.seed}: {len(whole)} files compared with an undisturbed run"
    print(f"{words}; seen after kills: {run.left_over} temporary files, {run.torn} times half of dvc.lock")
    print(f"{len(run.complaints)} complaints")
    print("\n".join(run.complaints))
    return int(bool(run.complaints))


def undisturbed(folder: Path, command: Sequence[str]) -> dict[str, str]:
    """sha256 of each outcome of a run that nobody kills."""
    folder.mkdir(parents=True, exist_ok=True)
    clone = tiny_repository(folder)
    subprocess.run(command, cwd=clone, env=environment(), check=True, stdout=subprocess.DEVNULL)
    return outcomes(clone)


def disturbed(folder: Path, command: Sequence[str], kills: int, seed: int, longest: float) -> Run:
    """A run killed so many times, each time after up to ``longest`` seconds, and then left to come to its end."""
    folder.mkdir(parents=True, exist_ok=True)
    run, moments = Run(tiny_repository(folder), command), random.Random(seed)
    for number in range(kills):
        ended = run.attempt(moments.uniform(0.5, longest))
        print(f"kill {number + 1}: {len(run.finished)} stages recorded, {len(run.units)} units kept", file=sys.stderr)
        if ended:
            return run
    if not run.attempt(3600):
        run.complaints.append("the last attempt did not end within an hour")
    return run


def kill_everything(process: subprocess.Popen[bytes], clone: Path) -> None:
    """SIGKILL to the group and to whatever else works in the clone: notebook kernels have groups of their own."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    while others := inside(clone):
        for other in others:
            try:
                os.kill(other, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def inside(clone: Path) -> list[int]:
    """Other processes whose working folder is in the clone; the one that kills may stand there itself."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            here, state = (entry / "cwd").readlink(), (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:  # gone meanwhile, or another user's
            continue
        if state != "Z" and here.is_relative_to(clone) and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def started(log: str) -> set[str]:
    """Stages that DVC says it ran."""
    return {line.split("'")[1] for line in log.splitlines() if line.startswith("Running stage")}


def recorded(clone: Path) -> set[str] | None:
    """Stages in dvc.lock that are not as they were committed; None where the file cannot be read."""
    command = ["git", "show", "HEAD:dvc.lock"]
    came = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True).stdout
    try:
        old, new = (YAML(typ="safe").load(text)["stages"] for text in (came, (clone / "dvc.lock").read_text()))
        return {name for name, stage in new.items() if stage != old.get(name)}
    except (YAMLError, TypeError, KeyError):
        return None


def finished_units(clone: Path) -> dict[Path, tuple[int, int]]:
    """Inode and time of each finished unit of a stage that is not finished."""
    units = (path for path in (clone / "artifacts" / "partial").glob("*/*/*.safetensors") if path.name[0] != ".")
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in units}


def half_written(clone: Path) -> list[Path]:
    """Files under their final name that cannot be read to the end."""
    files = [clone / name for name in outcomes(clone)] + list(finished_units(clone))
    return [path.relative_to(clone) for path in files if path.name[0] != "." and not _whole(path)]


def temporary(clone: Path) -> list[Path]:
    """What is left under a temporary name beside results."""
    places = ("results/*/.*", "results/.*", "paper_figures/.*", "artifacts/*/.*", "artifacts/partial/*/*/.*")
    return [path for pattern in places for path in clone.glob(pattern) if path.name != ".gitignore"]


def _whole(path: Path) -> bool:
    if path.suffix == ".safetensors":
        return load(path.read_bytes()) is not None
    if path.suffix == ".parquet":
        return pd.read_parquet(path) is not None
    if path.suffix == ".json":
        json.loads(path.read_text())
    return path.read_bytes().endswith(ENDS[path.suffix])


if __name__ == "__main__":
    sys.exit(main())
