"""The cells of a claim, and the units over which it is judged."""

import pandas as pd

from pipeline.summary import filters
from pipeline.summary.filters import NoCells, NoColumn
from pipeline.summary.statements import TEST_ROW, Claim
from pipeline.summary.tables import CONTROLS, WHOSE, Tables, can_be_made
from pipeline.summary.teachers import RULES


class NotRun(Exception):
    """A claim cannot be judged yet; the message says why."""


def select(claim: Claim, name: str, tables: Tables) -> pd.DataFrame:
    """Cells of a claim's `cells` or `against`.  Raises NotRun where there are none, InputError on an unknown column."""
    wanted = claim.wanted(name)
    try:
        cells = filters.select(_table(claim, tables, controls="control" in wanted), wanted)
    except NoColumn as gap:
        if claim.awaits:
            raise NotRun(f"no cell of {claim.experiment} has {gap.key} {wanted[gap.key]}.") from None
        there = f"in {claim.experiment} {gap}; choose one of these"
        raise claim.wrong(f"{name}.{gap.key}", wanted[gap.key], there) from None
    except NoCells as gap:
        missing = f"no cell of {claim.experiment} has {gap.key} {gap.value} (with the keys before it)"
        # Other settings make other cells, so this ends no run; that no claim is mistyped is seen to by a test.
        raise NotRun(f"{missing}." if claim.awaits else f"{missing}; {gap}.") from None
    return _taught(claim, cells)


def on_the_same_tasks(claim: Claim, cells: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Cells of a claim that sets real teachers beside controls, which have fewer tasks: of those that both have."""
    if claim.against is None or ("control" in claim.wanted("cells")) == ("control" in claim.wanted("against")):
        return cells
    mine, theirs = (set(table["task"].dropna()) for table in cells.values())
    return {
        name: table[table["task"].isin(mine & theirs)] if mine and theirs else table for name, table in cells.items()
    }


def _taught(claim: Claim, cells: pd.DataFrame) -> pd.DataFrame:
    """Cells of the teachers that the claim's rule lets in."""
    if claim.teachers is None:
        return cells
    kept = cells[RULES[claim.teachers](cells)]
    if kept.empty:
        raise NotRun(f"no teacher of {claim.experiment} is {claim.teachers.replace('_', ' ')}.")
    return kept


def units(claim: Claim, cells: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Cells of each unit.  Raises InputError where their table has no such column, or leaves it empty."""
    assert claim.over is not None
    if claim.over not in cells:
        there = f"in {claim.experiment} there is no column {claim.over}, only {', '.join(cells.columns)}"
        raise claim.wrong("over", claim.over, f"{there}; choose one of these, or {TEST_ROW}")
    if cells[claim.over].isna().any():
        raise claim.wrong("over", claim.over, f"cells of {claim.experiment} leave it empty; choose another unit")
    return {str(unit): member for unit, member in cells.groupby(claim.over)}


def _table(claim: Claim, tables: Tables, controls: bool) -> pd.DataFrame:
    # Students of control teachers enter a claim only by name.
    name = f"{claim.experiment}/{CONTROLS}" if controls else claim.experiment
    if name in tables:
        return tables[name]
    if claim.awaits or can_be_made(claim.experiment):
        raise NotRun(f"no cells of {name} in this repository yet.")
    there = f"there are cells of {', '.join(tables)}"
    raise claim.wrong("experiment", claim.experiment, f"{there}; choose one of these, or {WHOSE}")
