"""Run one verb of one experiment: settings and upstream bundles in, bundle out, wall time kept apart.

python -m pipeline.<verb> <experiment>
"""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core import artifacts, cells, config, experiments, keys, parallel
from pipeline.core.artifacts import Bundle
from pipeline.core.errors import InputError, command_line, words
from pipeline.core.experiments import UPSTREAM, Experiment


def main(verb: str, then: Callable[[str], None] | None = None) -> None:
    """Entry point of a stage module: one argument, the experiment, of which ``then`` is called after the stage."""

    def both() -> None:
        name = _argument(verb)
        run(verb, name)
        if then is not None:
            then(name)

    command_line(both)


def run(verb: str, name: str) -> None:
    """Run one stage and put its outcome in place; finished units of an earlier, killed run are used again."""
    started = time.perf_counter()
    experiment = experiments.load(name)
    if not experiment.has(verb):
        raise InputError(
            f"{experiment.path}: {name} has no {verb} of its own; run it for {experiment.owner(verb).name}"
        )
    stated(experiment)
    upstream = {needed: Bundle(folder(needed, experiment)) for needed in UPSTREAM[verb]}
    pool = parallel.Pool(f"{verb} {name}", _partial(verb, experiment))
    parallel.single_thread()
    with experiment.named():
        outcome = experiment.function(verb)(experiment.until(verb), upstream, pool)
    _store(verb, experiment, outcome)
    _forget(verb, name)
    record_runtime(f"{verb}-{name}", time.perf_counter() - started)


def folder(verb: str, experiment: Experiment) -> Path:
    """Where a verb's bundle lies for an experiment: its own, or that of the experiment it stands on."""
    return artifacts.folder(verb, experiment.owner(verb).name)


def results(experiment: Experiment) -> Path:
    """Folder of an experiment's tables; git keeps those of the main job, and of a study what is published."""
    return (artifacts.STUDY_RESULTS if experiment.is_study else artifacts.RESULTS) / experiment.name


def stated(experiment: Experiment) -> None:
    """Raise InputError for a study for a GPU unless W2S_DEVICE is set: on a processor none starts by mistake."""
    if experiment.header.device == "gpu" and not os.environ.get("W2S_DEVICE"):
        raise InputError(
            f"{experiment.name} is meant for a GPU; set W2S_DEVICE=cuda (`make gpu` does), or W2S_DEVICE=cpu to let "
            "this machine work for weeks"
        )


def record_runtime(stage: str, seconds: float) -> None:
    """Wall time of a stage; kept apart from every hashed file."""
    artifacts.write_json(
        artifacts.RUNTIME / f"{stage}.json", {"seconds": round(seconds, 2), "workers": parallel.workers()}
    )


def _store(verb: str, experiment: Experiment, outcome: Mapping[str, Any]) -> None:
    tables = results(experiment)
    if verb == "evaluate":
        artifacts.write_cells(tables / "cells.csv", _checked(outcome, experiment))
        artifacts.write_json(tables / "metrics.json", outcome["metrics"])
    elif verb == "reliability":
        diagrams = outcome["reliability"]
        diagrams.insert(0, "experiment", experiment.name)
        artifacts.write_cells(tables / "reliability.csv", diagrams)
    else:
        artifacts.write(verb, experiment.name, outcome)


def _checked(outcome: Mapping[str, Any], experiment: Experiment) -> pd.DataFrame:
    """The cells that evaluate made.  Raises InputError where they are no cells, before anything is written."""
    place = experiments.find(experiment.code, "evaluate")
    where = f"evaluate of {experiment.name} ({place and place.path.relative_to(experiments.HOME.parents[1])})"
    if not isinstance(outcome, Mapping) or not {"cells", "metrics"} <= set(outcome):
        raise InputError(f"{where} must return a dict with `cells` and `metrics`; see docs/ADDING.md")
    table = cells.complete(outcome["cells"], experiment.name)
    if gap := cells.incomplete(table):
        needed = f"every row needs one under each of {', '.join(cells.REQUIRED)}"
        raise InputError(f"{where} gives row {gap.row} no finite number under {gap.column}; {needed}")
    return table


def _forget(verb: str, name: str) -> None:
    # A stage's units are kept until the next one is done: killed before DVC has recorded it, it costs nothing again.
    last = () if any(verb in needed for needed in UPSTREAM.values()) else (verb,)
    for done in (*UPSTREAM[verb], *last):
        shutil.rmtree(_units(done, name), ignore_errors=True)


def _units(verb: str, name: str) -> Path:
    return artifacts.ARTIFACTS / "partial" / f"{verb}-{name}"


def _partial(verb: str, experiment: Experiment) -> Path:
    # The folder's name is a hash of all that can change a unit's result: code, settings, upstream bytes.
    digest = hashlib.sha256(keys.key(experiment, verb).encode())
    for needed in UPSTREAM[verb]:
        digest.update(artifacts.sha256(folder(needed, experiment)).encode())
    home = _units(verb, experiment.name)
    for stale in home.glob("*"):
        if stale.name != digest.hexdigest()[:16]:
            shutil.rmtree(stale, ignore_errors=True)
    return home / digest.hexdigest()[:16]


def _argument(verb: str) -> str:
    given = words(sys.modules["__main__"].__doc__)
    if len(given) != 1:
        raise InputError(
            f"usage: python -m pipeline.{verb} <experiment>; experiments: {', '.join(config.experiments())}"
        )
    return given[0]
