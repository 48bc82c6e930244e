"""The cells behind figures and claims: those of each experiment, and those of the studies that have been published."""

from collections.abc import Iterable, Mapping

import pandas as pd

from pipeline import cells
from pipeline.core import artifacts

Tables = Mapping[str, pd.DataFrame]
CLASSIFICATION = ("kl", "digits")
DIAGRAM = ("weak", "strong", "split", "seed", "role", "bin", "count", "confidence", "frequency")


def read(experiments: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Cells of each experiment, which must be there, and of each published study, as `published/<study>`.

    The reliability diagrams of an experiment in classification are beside its cells, as `<experiment>/reliability`.
    """
    tables = {name: cells.read(artifacts.RESULTS / name / "cells.csv") for name in experiments}
    for name in (name for name in CLASSIFICATION if name in tables):
        tables[f"{name}/reliability"] = cells.read_table(artifacts.RESULTS / name / "reliability.csv", DIAGRAM)
    for path in sorted(artifacts.PUBLISHED.glob("*/cells.csv")):
        tables[str(path.parent)] = cells.read(path)
    return tables
