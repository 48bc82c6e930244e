"""The cells behind figures and claims: those of each experiment, and those of the studies that have been published."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from pipeline.core import artifacts, cells, config
from pipeline.theory import calibration

Tables = Mapping[str, pd.DataFrame]
COUNTEREXAMPLES = (0.01, 0.05, 0.1, 0.2)  # how far the student leans to the right class
CLASSIFICATION = ("kl", "digits")
DIAGRAM = ("weak", "strong", "split", "seed", "role", "bin", "count", "confidence", "frequency")


def available(root: Path = Path()) -> set[str]:
    """Experiments of the main job, and studies that have been published as `published/<study>`."""
    studies = (path.parent.relative_to(root) for path in (root / artifacts.PUBLISHED).glob("*/cells.csv"))
    return {*config.experiments(root / config.PARAMS), *map(Path.as_posix, studies)}


def read(experiments: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Cells of each experiment, which must be there, and of each published study, as `published/<study>`.

    The reliability diagrams of an experiment in classification are beside its cells, as `<experiment>/reliability`.
    """
    tables = {name: cells.read(artifacts.RESULTS / name / "cells.csv") for name in experiments}
    for name in (name for name in CLASSIFICATION if name in tables):
        tables[f"{name}/reliability"] = cells.read_table(artifacts.RESULTS / name / "reliability.csv", DIAGRAM)
    tables["counterexample"] = counterexamples()
    for path in sorted(artifacts.PUBLISHED.glob("*/cells.csv")):
        tables[str(path.parent)] = cells.read(path)
    return tables


def counterexamples() -> pd.DataFrame:
    """Pairs of predictors that refute a recalled bound: mathematics, so that no experiment enters."""
    pairs = [calibration.counterexample(delta)._asdict() for delta in COUNTEREXAMPLES]
    return pd.DataFrame(pairs).assign(example=range(len(pairs)))
