"""The cells behind figures and claims: those of each experiment, and those of the studies that have been published."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from pipeline.core import artifacts, cells, config, experiments
from pipeline.theory import calibration

Tables = Mapping[str, pd.DataFrame]
COUNTEREXAMPLES = (0.01, 0.05, 0.1, 0.2)  # how far the student leans to the right class
CLASSIFICATION = ("kl", "digits")
CONTROLS = "controls"
WHOSE = "an experiment of params.yaml, or published/<study> of a file in studies/"
DIAGRAM = ("weak", "strong", "split", "seed", "role", "bin", "count", "confidence", "frequency")


def available(root: Path = Path()) -> set[str]:
    """Experiments of the main job, and studies that have been published as `published/<study>`."""
    studies = (path.parent.relative_to(root) for path in (root / artifacts.PUBLISHED).glob("*/cells.csv"))
    return {*config.experiments(root / config.PARAMS), *map(Path.as_posix, studies)}


def can_be_made(name: str) -> bool:
    """Whether there are an experiment, or for `published/<study>` a study, whose cells bear this name."""
    folder, _, study = name.rpartition("/")
    if folder:
        return Path(folder) == artifacts.PUBLISHED and study in experiments.studies()
    return experiments.find((name,), "evaluate") is not None


def read(names: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Cells of each experiment, which must be there, and of each published study, as `published/<study>`.

    Students of control teachers are apart from them, as `<name>/controls`; the reliability diagrams of an experiment in
    classification are beside its cells, as `<experiment>/reliability`.
    """
    tables: dict[str, pd.DataFrame] = {}
    for name in names:
        tables |= parted(name, cells.read(artifacts.RESULTS / name / "cells.csv"))
    for name in [name for name in CLASSIFICATION if name in tables]:
        tables[f"{name}/reliability"] = cells.read_table(artifacts.RESULTS / name / "reliability.csv", DIAGRAM)
    tables["counterexample"] = counterexamples()
    for path in sorted(artifacts.PUBLISHED.glob("*/cells.csv")):
        tables |= parted(str(path.parent), cells.read(path))
    return tables


def parted(name: str, table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Cells by name, and those of control teachers, where there are any, as `<name>/controls`."""
    apart = cells.controls(table)
    return {name: cells.without_controls(table)} | ({} if apart.empty else {f"{name}/{CONTROLS}": apart})


def counterexamples() -> pd.DataFrame:
    """Pairs of predictors that refute a recalled bound: mathematics, so that no experiment enters."""
    pairs = [calibration.counterexample(delta)._asdict() for delta in COUNTEREXAMPLES]
    return pd.DataFrame(pairs).assign(example=range(len(pairs)))


def controls_of(tables: Tables, name: str) -> pd.DataFrame:
    """Cells of an experiment's control teachers; no row where it was run without any."""
    return tables.get(f"{name}/{CONTROLS}", tables[name].head(0))
