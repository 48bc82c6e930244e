"""The one tidy table in which every experiment ends: one row per trained student."""

from pathlib import Path

import pandas as pd

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
)
REQUIRED = ("weak_error", "student_error", "misfit", "gain", "cross_term")


def read(path: Path) -> pd.DataFrame:
    """Cells of one experiment.  Raises InputError that names the missing column or the incomplete row."""
    try:
        cells = pd.read_csv(
            path, dtype={"panel": str, "dataset": str, "split": str, "weak": str, "strong": str, "inputs": str}
        )
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run `dvc repro` or restore it with `git checkout {path}`") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path} is not a readable CSV ({error}); restore it with `git checkout {path}`") from None
    _check(cells, path)
    return cells


def _check(cells: pd.DataFrame, path: Path) -> None:
    remedy = f"run `dvc repro` or restore it with `git checkout {path}`"
    missing = [column for column in COLUMNS if column not in cells]
    if missing:
        raise InputError(f"{path} lacks the column {missing[0]}; {remedy}")
    if cells.empty:
        raise InputError(f"{path} holds no cell; {remedy}")
    for column in REQUIRED:
        numbers = pd.to_numeric(cells[column], errors="coerce")
        if numbers.isna().any():
            row = int(numbers.isna().to_numpy().argmax())
            raise InputError(f"{path}: line {row + 2} has no number under {column}; {remedy}")
