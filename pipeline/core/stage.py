"""Run one verb of one experiment: settings and upstream bundles in, bundle out, wall time beside the results.

python -m pipeline.<verb> <experiment>
"""

import hashlib
import importlib
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.core import artifacts, config, parallel
from pipeline.core.artifacts import Bundle
from pipeline.core.errors import InputError, command_line

UPSTREAM = {
    "data": (),
    "represent": ("data",),
    "weak": ("data", "represent"),
    "labels": ("data", "represent", "weak"),
    "strong": ("data", "represent", "labels"),
    "evaluate": ("data", "represent", "weak", "strong"),
    "reliability": ("data", "represent", "weak", "strong"),
}


def main(verb: str) -> None:
    """Entry point of a stage module: one argument, the experiment."""
    command_line(lambda: run(verb, *_arguments(verb)))


def run(verb: str, experiment: str) -> None:
    """Run one stage and put its outcome in place; finished units of an earlier, killed run are used again."""
    started = time.perf_counter()
    settings = config.load(experiment)
    upstream = {name: Bundle(artifacts.folder(name, experiment)) for name in UPSTREAM[verb]}
    pool = parallel.Pool(f"{verb} {experiment}", _partial(verb, experiment, settings))
    parallel.single_thread()
    outcome = importlib.import_module(f"pipeline.experiments.{experiment}.{verb}").run(settings, upstream, pool)
    _store(verb, experiment, outcome)
    _forget(verb, experiment)
    record_runtime(f"{verb}-{experiment}", time.perf_counter() - started)


def record_runtime(stage: str, seconds: float) -> None:
    """Wall time of a stage; kept apart from every hashed file."""
    artifacts.write_json(
        artifacts.RUNTIME / f"{stage}.json", {"seconds": round(seconds, 2), "workers": parallel.workers()}
    )


def _store(verb: str, experiment: str, outcome: Mapping[str, Any]) -> None:
    results = artifacts.RESULTS / experiment
    if verb == "evaluate":
        artifacts.write_cells(results / "cells.csv", outcome["cells"])
        artifacts.write_json(results / "metrics.json", outcome["metrics"])
    elif verb == "reliability":
        artifacts.write_cells(results / "reliability.csv", outcome["reliability"])
    else:
        artifacts.write(verb, experiment, outcome)


def _forget(verb: str, experiment: str) -> None:
    # A stage's units are kept until the next one is done: killed before DVC has recorded it, it costs nothing again.
    last = () if any(verb in names for names in UPSTREAM.values()) else (verb,)
    for name in (*UPSTREAM[verb], *last):
        shutil.rmtree(_units(name, experiment), ignore_errors=True)


def _units(verb: str, experiment: str) -> Path:
    return artifacts.ARTIFACTS / "partial" / f"{verb}-{experiment}"


def _partial(verb: str, experiment: str, settings: Any) -> Path:
    # The folder's name is a hash of all that can change a unit's result: settings, upstream bytes, code.
    digest = hashlib.sha256(settings.model_dump_json().encode())
    for name in UPSTREAM[verb]:
        digest.update(artifacts.sha256(artifacts.folder(name, experiment)).encode())
    for module in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(module.read_bytes())
    home = _units(verb, experiment)
    for stale in home.glob("*"):
        if stale.name != digest.hexdigest()[:16]:
            shutil.rmtree(stale, ignore_errors=True)
    return home / digest.hexdigest()[:16]


def _arguments(verb: str) -> tuple[str]:
    if len(sys.argv) != 2:
        raise InputError(
            f"usage: python -m pipeline.{verb} <experiment>; experiments: {', '.join(config.experiments())}"
        )
    return (sys.argv[1],)
