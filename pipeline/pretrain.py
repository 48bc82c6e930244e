"""Pretrain the language models of a study.  text corpora -> artifacts/pretrain/<study>/<model>, in the hub's format

python -m pipeline.pretrain preferences
"""

import time

from pipeline.core import artifacts, experiments, parallel, stage
from pipeline.core.errors import InputError, command_line, words
from pipeline.core.experiments import PRETRAIN


def main() -> None:
    """Pretrain the models of the study named on the command line."""
    given = words(__doc__)
    if len(given) != 1:
        raise InputError("usage: python -m pipeline.pretrain <study>, for example preferences")
    run(given[0])


def run(study: str) -> None:
    """Pretrain what is not there yet; a killed run goes on where it was."""
    # Not a verb of core/stage.py: what it writes is no bundle but folders that any loader of the hub can read.
    started = time.perf_counter()
    experiment = experiments.load(study)
    if not experiment.has(PRETRAIN):
        raise InputError(f"{study} pretrains no language model; preferences does")
    stage.stated(experiment)
    parallel.single_thread()
    partial = artifacts.ARTIFACTS / "partial" / f"{PRETRAIN}-{study}"
    with experiment.named():
        experiment.function(PRETRAIN)(experiment.until(PRETRAIN), artifacts.folder(PRETRAIN, study), partial)
    stage.record_runtime(f"{PRETRAIN}-{study}", time.perf_counter() - started)


if __name__ == "__main__":
    command_line(main)
