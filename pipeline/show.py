"""The table of an experiment: errors, gain, misfit and recovered gap of every kind of student, with intervals.

python -m pipeline.show synthetic        an experiment of the main job, or a study; of a study that did not run here,
                                         what is published
"""

from pathlib import Path

from pipeline.core import cells, config, experiments, stage
from pipeline.core.artifacts import PUBLISHED
from pipeline.core.errors import InputError, command_line, words
from pipeline.summary import headline


def main() -> None:
    """Print the table of the experiment named on the command line."""
    given = words(__doc__)
    if len(given) != 1:
        known = ", ".join([*config.experiments(), *experiments.studies()])
        raise InputError(f"usage: python -m pipeline.show <experiment>; known: {known}")
    print(shown(given[0]))


def shown(name: str) -> str:
    """Where the cells lie, and their table."""
    path = place(name)
    confidence, own = config.intervals().confidence, experiments.beside_evaluate(name, "KEYS")
    overlap = dict(experiments.beside_evaluate(name, "OVERLAP"))
    columns, rows = headline.table(cells.read(path), own, confidence, overlap)
    return (
        f"{path}; means over units, in brackets {confidence * 100:g} % intervals of Student's t over them\n\n"
        f"{headline.written(columns, rows)}"
    )


def place(name: str) -> Path:
    """The cells of an experiment.  Raises InputError that says what makes them, where there are none."""
    experiment = experiments.load(name)
    own, published = stage.results(experiment) / "cells.csv", PUBLISHED / name / "cells.csv"
    if own.exists() or not experiment.is_study:
        return own
    if published.exists():
        return published
    raise InputError(f"{name} has no results here; run `python -m pipeline.study {name}`")


if __name__ == "__main__":
    command_line(main)
