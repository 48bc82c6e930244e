"""How the units of each table of cells were made: whether they share rows, and what one more costs."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pipeline.core import artifacts, config, experiments


class Design(NamedTuple):
    """Of one experiment or study; the defaults say that nothing is known against independent units."""

    # By unit: of resamples of one data set test rows over training rows; of units with a share r in common r / (1 - r).
    overlap: Mapping[str, float] = {}
    minutes: float | None = None  # of the whole published study on two cores, as its settings state


def overlap(table: str, unit: str) -> float:
    """Test rows over training rows where the units of an experiment or study share rows; 0 where they do not."""
    return _stated(table.rpartition("/")[2], Path.cwd()).get(unit, 0.0)


@cache
def _stated(name: str, home: Path) -> dict[str, float]:
    # Figures ask for it with every interval, and finding it reads the settings and the code of the experiment.
    return dict(experiments.beside_evaluate(name, "OVERLAP", home / config.PARAMS))


def read(tables: Iterable[str]) -> dict[str, Design]:
    """A design for each table that is an experiment's or a published study's, by its name."""
    known = {*config.experiments(), *experiments.studies()}
    names = {table: table.removeprefix(f"{artifacts.PUBLISHED}/") for table in tables}
    return {
        table: Design(
            dict(experiments.beside_evaluate(name, "OVERLAP")),
            None if table == name else experiments.minutes(name),
        )
        for table, name in names.items()
        if name in known
    }
