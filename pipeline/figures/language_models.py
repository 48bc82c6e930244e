"""What the figures of the study on language models share.

Every interval is over seeds.  Each seed after the first draws the truth, weak and test rows anew, so that the intervals
hold the luck of training and of the test rows; the seeds share rows, so they are somewhat too short for new texts.
Networks finetuned whole are trained once: their intervals are over test rows alone.
"""

from collections.abc import Iterable

import pandas as pd

from pipeline.core.config import Intervals
from pipeline.figures import Numbers
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_units
from pipeline.theory.intervals import Estimate

STUDY = "published/preferences"


def naive(cells: pd.DataFrame) -> pd.DataFrame:
    """Frozen students of cross-entropy on the teacher's soft labels."""
    main = cells[(cells["panel"] == "main") & (cells["head"] == "frozen")]
    return main[(main["loss"] == "cross_entropy") & (main["labels"] == "soft")]


def at_focus(cells: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """Those on the strong rung on which all losses were run: the one of the curves."""
    return chosen[chosen["strong"] == cells.loc[cells["panel"] == "curve", "strong"].iloc[0]]


def mean(cells: pd.DataFrame, column: str, settings: Intervals, study: str = STUDY) -> Estimate:
    """Mean of a column within each seed, then over seeds."""
    values = cells.groupby("seed")[column].mean().to_list()
    return over_units(column, values, settings.confidence, overlap(study, "seed"))


def along(
    cells: pd.DataFrame, column: str, measures: Iterable[str], settings: Intervals, study: str = STUDY
) -> Numbers:
    """Means of some measures at each step of a column, such as epochs or shares of noise."""
    steps = sorted(cells[column].unique())
    at = {step: cells[cells[column] == step] for step in steps}
    found = {measure: [mean(at[step], measure, settings, study) for step in steps] for measure in measures}
    return {f"{column}s": steps, **found}


def stated(cells: pd.DataFrame, settings: Intervals) -> Numbers:
    """What every figure says of its sample."""
    rows = cells.groupby("dataset")[["n_train", "n_eval"]].max().astype(int).to_dict("index")
    return {"confidence": settings.confidence, "seeds": int(cells["seed"].nunique()), "rows": rows}


def by_dataset(rows: Iterable[Numbers]) -> dict[str, list[Numbers]]:
    """Rows of each data set, in alphabetical order of the sets."""
    found: dict[str, list[Numbers]] = {}
    for row in sorted(rows, key=lambda row: row["dataset"]):
        found.setdefault(row["dataset"], []).append(row)
    return found
