"""Compare a fresh run with the results that came with the repository, by stated tolerances.

python -m pipeline.verify      exit code 0: the same within the tolerances; 1: what differs, where and by how much
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline import compare, reference
from pipeline.claims import JUDGED
from pipeline.compare import Column
from pipeline.core import artifacts, cells, experiments
from pipeline.core.errors import InputError, command_line
from pipeline.figures import FIGURES


class Tolerance(NamedTuple):
    """A value may differ by ``absolute + relative * root mean square of its column``; each experiment states its own.

    On one kind of processor all bytes are equal.  Another one sums in another order, and training lets the difference
    grow.  docs/TRUST.md says what was measured with the instructions of an older processor, and what was not.
    """

    absolute: float
    relative: float
    reason: str


EXACT = Tolerance(0.0, 0.0, "arithmetic of a few numbers")


class Outcome(NamedTuple):
    """What came of one file."""

    path: Path
    words: str
    agrees: bool


def main() -> None:
    """One line a file, then the exit code."""
    paths = reference.paths()
    if not any(reference.content(path) for path in paths):
        raise InputError("there are no results to compare with; in an unpacked archive run `make reproduce` first")
    outcomes = [outcome(path) for path in paths]
    for found in outcomes:
        print(f"{found.path}: {found.words}")
    apart = [found for found in outcomes if not found.agrees]
    if apart:
        raise InputError(
            f"{len(apart)} of {len(outcomes)} files of results differ from those that came with the repository, first "
            f"{apart[0].path}; if you changed nothing, docs/TRUST.md says what to do"
        )


def outcome(path: Path) -> Outcome:
    """Comparison of one file with what came with the repository."""
    came = reference.content(path)
    if came is None:
        return Outcome(path, "new, nothing to compare with", True)
    if not path.exists():
        return Outcome(path, f"is missing; run `dvc repro` or restore it with `git checkout {path}`", False)
    fresh = path.read_bytes()
    if fresh == came:
        return Outcome(path, "same bytes", True)
    return _judged(path, _columns(path, fresh, came))


def tolerance(path: Path, column: str, claimed: Mapping[str, str]) -> Tolerance:
    """What is allowed in a column of a file: that of the experiment whose numbers stand there, the most of several.

    claimed: experiment by claim, for report/claims.json, where each column is a claim's (`[id].measured`).
    """
    if path == JUDGED:
        names: tuple[str, ...] = (claimed.get(column.strip("[").partition("]")[0], ""),)
    else:
        names = FIGURES[path.stem].cells if path.parent == artifacts.FIGURES else (path.parent.name,)
    stated = [_stated(Path(name).name) for name in names if name not in ("", "counterexample")]
    return max(stated, key=lambda tolerance: tolerance.relative, default=EXACT)  # or no experiment's numbers


@cache
def _stated(experiment: str) -> Tolerance:
    return Tolerance(*experiments.beside_evaluate(experiment, "TOLERANCE"))


def _columns(path: Path, fresh: bytes, came: bytes) -> list[Column]:
    try:
        if path.suffix == ".json":
            return compare.documents(fresh, came)
        keys = experiments.beside_evaluate(path.parent.name, "KEYS")
        return compare.tables(fresh, came, (*cells.KEYS, *keys, "role", "bin"))
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read ({reason}); run `dvc repro` or `git checkout {path}`") from None


def _judged(path: Path, columns: list[Column]) -> Outcome:
    claimed = {claim["id"]: claim["experiment"] for claim in artifacts.read_item(JUDGED)} if path == JUDGED else {}
    rooms = [_room(column, tolerance(path, column.name, claimed)) for column in columns]
    shares = [column.apart / room for column, room in zip(columns, rooms, strict=True)]
    worst = max(range(len(columns)), key=lambda number: shares[number].max(initial=0))
    row, beyond = int(shares[worst].argmax()), sum(int((share > 1).sum()) for share in shares)
    if beyond:
        words = f"DIFFERS in {beyond} values, the worst in {_described(columns[worst], row, rooms[worst])}"
        return Outcome(path, words, False)
    differing = sum(int((share > 0).sum()) for share in shares)
    share, name = shares[worst][row], columns[worst].name
    words = f"within the tolerance: {differing} values differ, at worst by {share:.2g} of what is allowed ({name})"
    return Outcome(path, words, True)


def _room(column: Column, allowed: Tolerance) -> float:
    # Never zero: what is not equal is then beyond any room.
    return max(allowed.absolute + allowed.relative * column.scale, float(np.finfo(np.float64).tiny))


def _described(column: Column, row: int, room: float) -> str:
    words = f"{column.name}, {column.place(row)}: {column.fresh.iloc[row]} against {column.reference.iloc[row]}"
    if np.isinf(column.apart[row]):
        return words
    return f"{words}, {column.apart[row]:.2g} apart where {room:.2g} is allowed"


if __name__ == "__main__":
    command_line(main)
