"""Run studies through DVC and publish them.  studies/<name>.yaml -> artifacts/, published/<name>

python -m pipeline.study realizability [...]      --all: those for a laptop, --gpu: those for a GPU
python -m pipeline.study                          what there is

A study's stages stand in studies/running.yaml as long as it runs.  Stopped at any point, the same command goes on.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline import lock, publish
from pipeline.core import artifacts, cells, config, experiments, files, keys
from pipeline.core.errors import InputError, command_line
from pipeline.core.experiments import BLOCKS, PRETRAIN, UPSTREAM, Experiment
from pipeline.summary import designs, pairs

RUNNING = experiments.STUDIES / "running.yaml"
LOCK = experiments.STUDIES / "dvc.lock"
READERS = ("represent", "strong")  # of the networks that a study pretrained

Rows = dict[str, dict[str, dict[str, str]]]


def main() -> None:
    """Run and publish the studies named on the command line, or list all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name")
    parser.add_argument("--replace", action="store_true", help="publish over a snapshot that other settings made")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--all", action="store_true", help="those for a laptop")
    kinds.add_argument("--gpu", action="store_true", help="those for a GPU")
    chosen = parser.parse_args()
    if not (chosen.names or chosen.all or chosen.gpu):
        print(listing())
        return
    known = [experiments.load(name) for name in chosen.names or experiments.studies()]
    device = "gpu" if chosen.gpu else None
    run([one for one in known if chosen.names or one.header.device == device], chosen.replace)


def run(studies: Sequence[Experiment], replace: bool = False) -> None:
    """Run the stages of some studies that are not up to date, then publish each and say what came out."""
    for study in studies:
        if not study.is_study:
            raise InputError(f"{study.name} belongs to the main job; run `dvc repro evaluate@{study.name}`")
        publish.guard(study, replace)  # now, not after hours
    # Stages call plain `python`: let that be the one that runs here.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "dvc", "repro", str(experiments.STUDIES / "dvc.yaml")]
    with running(rows(studies)), lock.guarded(LOCK):
        code = subprocess.run(command, env=environment, check=False).returncode
    if code:
        raise InputError("dvc repro stopped, see above; the same command goes on from there")
    for study in studies:
        print(f"published {publish.publish(study.name, replace)}")
        report(study)


def report(study: Experiment) -> None:
    """Print what each pair of teacher and student came to; draw the figures of data of one's own."""
    table = cells.read(publish.folder(study.name) / "cells.csv")
    told = pairs.table(table, config.intervals().confidence, designs.overlap(study.name, "seed"))
    print(told or f"`python -m pipeline.show {study.name}` prints its table")
    from pipeline.figures import __main__ as drawn  # slow to import
    from pipeline.figures import of_source

    if own := of_source(study.name):
        drawn.redraw(own)
        print("\n".join(f"drawn {artifacts.FIGURES / name}.png" for name in own))


def rows(studies: Sequence[Experiment]) -> Rows:
    """Stages of some studies and of those they stand on: by verb and study, what is read and the stage's hash."""
    found: Rows = {verb: {} for verb in BLOCKS}
    for study in studies:
        for verb in BLOCKS:
            if verb == PRETRAIN and not (study.has(verb) and getattr(study.settings, PRETRAIN, None)):
                continue
            owner = study.owner(verb)
            if owner.is_study:
                found[verb][owner.name] = {**reads(owner, verb), "key": keys.key(owner, verb) + _lacks(owner, verb)}
    return found


def _lacks(study: Experiment, verb: str) -> str:
    """Files of the mirror that are not at hand: with them the stage does more, so that it has to run again."""
    block = getattr(study.settings, verb, None)
    named = files.named(block.model_dump(mode="json")) if verb in ("data", PRETRAIN) and block else ()
    absent = sorted(file.path for file in named if not files.at_hand(file))
    return f", without {', '.join(absent)}" if absent else ""


def reads(study: Experiment, verb: str) -> dict[str, str]:
    """Whose bundles a stage reads, and which networks."""
    whose = {needed: study.owner(needed).name for needed in UPSTREAM.get(verb, ())}
    if verb not in READERS:
        return whose
    pretrained = sorted(networks(study.settings.model_dump(mode="json")))
    if len(pretrained) > 1:
        raise InputError(f"{study.path} names networks of {' and '.join(pretrained)}; take those of one study")
    folders = [artifacts.folder(PRETRAIN, name).as_posix() for name in pretrained]
    return {**whose, "networks": folders[0] if folders else f"pipeline/{verb}.py"}


def networks(block: Any) -> set[str]:
    """Studies whose pretrained networks a block of settings names, as `pretrained: <study>/<network>`."""
    if not isinstance(block, Mapping):
        return set()
    named = {str(block["pretrained"]).partition("/")[0]} if "pretrained" in block else set()
    return named.union(*map(networks, block.values()))


@contextmanager
def running(stages: Rows) -> Iterator[None]:
    """The stages stand in running.yaml as long as the context lasts."""
    idle: Rows = {verb: {} for verb in BLOCKS}
    _write(stages)
    try:
        yield
    finally:
        _write(idle)


def listing() -> str:
    """A line a study; of one whose file is wrong, what is wrong with it."""
    return "\n".join(map(_listed, experiments.studies()))


def _listed(name: str) -> str:
    try:
        header = experiments.load(name).header
    except InputError as error:
        return f"{name:20} error: {error}"
    time = "for a GPU" if header.device else f"{header.minutes:g} minutes" if header.minutes else ""
    state = "published" if publish.folder(name).exists() else "not published"
    return f"{name:20} {time:12} {state:14} {header.about or ''}".rstrip()


def _write(stages: Rows) -> None:
    stream = StringIO()
    YAML().dump(stages, stream)
    artifacts.write_bytes(RUNNING, stream.getvalue().encode())


if __name__ == "__main__":
    command_line(main)
