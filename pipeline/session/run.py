"""Run the steps of a prepared session, each in a process of its own, and write what each found as soon as it is there.

W2S_DEVICE=cuda python -m pipeline.session.run <out> [step ...] [--seconds 540] [--benchmark 60]

In the folder that `pipeline.session.prepare` made.  <out>: session.json with a record for every step, log.txt with all
that they print, and the files of the steps.  A step that fails or is cut off leaves the others their time.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.core import artifacts
from pipeline.core.errors import InputError, command_line
from pipeline.scale import machine
from pipeline.session import steps

KEPT_BACK = 20  # seconds between the time at which a step should stop and the time at which it is stopped
DEVICE, COMPILED = "device", "ours"  # the step without which nothing goes on; the first one that compiles


class Session(NamedTuple):
    """What a run is told: kind and steps of the session, folder of results, its end, seconds of the benchmark."""

    kind: str
    steps: Mapping[str, Any]
    out: Path
    ends: float
    benchmark: float


def main() -> None:
    """Run the steps that are named, all by default."""
    given = arguments()
    if not os.environ.get("W2S_DEVICE"):
        raise InputError("a session is meant for a GPU; set W2S_DEVICE=cuda, or W2S_DEVICE=cpu to rehearse it")
    machine.device()  # or it stops here, with one line
    prepared = steps.settings()
    for name in given.steps:
        if name not in prepared["steps"]:
            raise InputError(f"there is no step '{name}'; choose from {', '.join(prepared['steps'])}")
    chosen = {name: limits for name, limits in prepared["steps"].items() if not given.steps or name in given.steps}
    ends = time.monotonic() + given.seconds
    session = Session(prepared["kind"], chosen, given.out.resolve(), ends, given.benchmark)
    for name in chosen:
        steps.record_of(name).unlink(missing_ok=True)
    session.out.mkdir(parents=True, exist_ok=True)
    os.environ.update({name: value for name, value in prepared["environment"].items() if name not in os.environ})
    failed = run(session, {name: prepared[name] for name in ("kind", "revision", "code_sha256")})
    if failed:
        raise InputError(f"{', '.join(failed)} failed; what they printed stands in {session.out / 'log.txt'}")


def run(session: Session, summary: dict[str, Any]) -> list[str]:
    """Run the steps one after the other; returns the names of those that failed.

    Records of an earlier run of the same code in the same folder stay.
    """
    path, failed = session.out / "session.json", []
    earlier = artifacts.read_item(path) if path.exists() else {}
    same = all(earlier.get(name) == value for name, value in summary.items())
    summary = {**summary, "steps": earlier["steps"] if earlier and same else {}}
    for name in session.steps:
        record = one(session, name)
        summary["steps"][name] = record
        artifacts.write_json(path, summary)
        print(f"{name}: {described(record)}", flush=True)
        if "error" in record:
            failed.append(name)
            if name == DEVICE:
                break
            if name == COMPILED:
                os.environ.setdefault("W2S_COMPILE", "0")  # what could not be compiled may still run
    return failed


def one(session: Session, name: str) -> dict[str, Any]:
    """Record of one step: what it found, or its error, and the seconds that it took."""
    names = list(session.steps)
    later = sum(session.steps[other]["least"] for other in names[names.index(name) + 1 :])
    started = time.monotonic()
    seconds = min(session.steps[name]["most"], session.ends - started - later)
    if seconds <= KEPT_BACK:
        return {"error": "no time was left for it", "seconds": 0.0}
    command = [sys.executable, "-m", f"pipeline.session.{session.kind}", name, str(session.out), str(session.benchmark)]
    environment = {**os.environ, "W2S_TIME_BUDGET": str(seconds - KEPT_BACK)}
    with (session.out / "log.txt").open("a+") as log:
        begun = log.tell()
        try:
            subprocess.run(command, env=environment, stdout=log, stderr=log, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            log.write(f"\n{name} was stopped after {seconds:.0f} s\n")
        log.flush()
        log.seek(begun)
        printed = log.read().split("\n")
    kept = steps.record_of(name)
    found = artifacts.read_item(kept) if kept.exists() else {"error": next(filter(None, reversed(printed)), "nothing")}
    return {**found, "seconds": round(time.monotonic() - started, 1)}


def described(record: Mapping[str, Any]) -> str:
    """The plain values of a record in one line."""
    shown = {name: value for name, value in record.items() if not isinstance(value, dict | list)}
    return ", ".join(
        f"{name} {value:.5g}" if isinstance(value, float) else f"{name} {value}" for name, value in shown.items()
    )


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of results")
    parser.add_argument("steps", nargs="*", help="steps to run, all by default")
    parser.add_argument("--seconds", type=float, default=540, help="for all steps together")
    parser.add_argument("--benchmark", type=float, default=60, help="seconds that each side of the benchmark may train")
    return parser.parse_args()


if __name__ == "__main__":
    command_line(main)
