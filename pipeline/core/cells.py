"""The one tidy table in which every experiment ends: one row per trained student."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.core import artifacts
from pipeline.core.errors import InputError

COLUMNS = (
    "experiment",
    "panel",
    "dataset",
    "split",
    "weak",
    "strong",
    "head",
    "inputs",
    "control",
    "task",
    "seed",
    "n_train",
    "n_eval",
    "weak_error",
    "student_error",
    "ceiling_error",
    "misfit",
    "gain",
    "cross_term",
    "epsilon",
    "rho",
    "bound",
    "truth_variance",
    "error_correlation",
)
# Cells published before these existed lack them; they were made without controls.
LATER = ("control", "truth_variance", "error_correlation")
# What tells rows apart; an experiment's own further ones stand beside its verb evaluate, as KEYS.
KEYS = ("panel", "dataset", "split", "weak", "strong", "head", "inputs", "control", "seed", "task")
NAMES = ("panel", "dataset", "split", "weak", "strong", "inputs", "control")
REQUIRED = ("weak_error", "student_error", "misfit", "gain", "cross_term")


class Gap(NamedTuple):
    """A column and a row, counted from 0, that lack a number."""

    column: str
    row: int


def complete(table: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Cells as they are written: the common columns first, empty where the experiment has none, then its own."""
    further = [column for column in table if column not in COLUMNS]
    return table.assign(experiment=experiment).reindex(columns=[*COLUMNS, *further])


def read(path: Path) -> pd.DataFrame:
    """Cells of one experiment.  Raises InputError that names the missing column or the incomplete row."""
    cells = read_table(path, tuple(column for column in COLUMNS if column not in LATER))
    cells = cells.assign(**{column: np.nan for column in LATER if column not in cells})
    if gap := incomplete(cells):
        raise InputError(f"{path}: line {gap.row + 2} has no finite number under {gap.column}; {_remedy(path)}")
    return cells


def incomplete(table: pd.DataFrame) -> Gap | None:
    """The first place without a finite number in a column where every row needs one; None where there is none."""
    for column in REQUIRED:
        numbers = np.isfinite(pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float64))
        if not numbers.all():
            return Gap(column, int(numbers.argmin()))
    return None


def without_controls(cells: pd.DataFrame) -> pd.DataFrame:
    """The students of weak teachers: what claims about weak-to-strong generalization and their figures stand on."""
    return cells[cells["control"].isna()]


def controls(cells: pd.DataFrame) -> pd.DataFrame:
    """The students of control teachers, and of no teacher, by the name in `control`."""
    return cells[cells["control"].notna()]


def read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """A table of results with at least these columns and one row; names are read as text."""
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(NAMES, str))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; {_remedy(path)}") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path} is not a readable CSV ({error}); restore it with `git checkout {path}`") from None
    missing = [column for column in columns if column not in table]
    if missing:
        raise InputError(f"{path} lacks the column {missing[0]}; {_remedy(path)}")
    if table.empty:
        raise InputError(f"{path} holds no row; {_remedy(path)}")
    return table


def _remedy(path: Path) -> str:
    restore, again = f"restore it with `git checkout {path}`", f"run `python -m pipeline.study {path.parent.name}`"
    if path.parent.parent == artifacts.STUDY_RESULTS:  # which git does not keep
        return again
    return f"{again if path.parent.parent == artifacts.PUBLISHED else 'run `dvc repro`'} or {restore}"
