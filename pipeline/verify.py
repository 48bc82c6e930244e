"""Compare a fresh run with the results that came with the repository, at one of two levels.

python -m pipeline.verify      exit code 0: the same; 1: what differs, where and by how much

Cells: where the arithmetic is our own, every number, by the tolerance that its experiment states.  Estimates: where
libraries train networks, which amplifies the rounding of another processor until single cells mean nothing (ESTIMATES
beside the verb evaluate), every estimate must lie in the inner half of the interval that came with the repository, and
every verdict must be the same, unless a shift within that inner half could change it (a borderline row).
"""

import json
from collections.abc import Container, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline import compare, reference
from pipeline.claims import JUDGED
from pipeline.compare import Column
from pipeline.core import artifacts, cells, experiments
from pipeline.core.errors import InputError, command_line
from pipeline.figures import FIGURES
from pipeline.summary.questions import placed
from pipeline.summary.statements import Band
from pipeline.theory.intervals import Estimate


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
    claimed = {claim["id"]: claim["experiment"] for claim in json.loads(came)} if path == JUDGED else {}
    columns = _columns(path, fresh, came)
    if path == JUDGED:
        loose = {name for name in claimed if trained(path, {name: claimed[name]})}
        exact = _judged(path, [column for column in columns if _claim(column.name) not in loose], claimed)
        return _both(exact, _claims(path, *(_rows(content, loose) for content in (fresh, came)))) if loose else exact
    if not trained(path, claimed):
        return _judged(path, columns, claimed)
    named = _judged(path, [column for column in columns if _is_text(column)], claimed)
    if path.suffix == ".json":
        return _both(named, _estimated(path, fresh, came))
    return named._replace(words=f"{named.words} (names alone: its numbers are judged by their estimates)")


def tolerance(path: Path, column: str, claimed: Mapping[str, str]) -> Tolerance:
    """What is allowed in a column of a file: that of the experiment whose numbers stand there, the most of several.

    claimed: experiment by claim, for report/claims.json, where each column is a claim's (`[id].measured`).
    """
    names = (claimed.get(_claim(column), ""),) if path == JUDGED else _experiments(path)
    stated = [_stated(Path(name).name) for name in names if name not in ("", "counterexample")]
    return max(stated, key=lambda tolerance: tolerance.relative, default=EXACT)  # or no experiment's numbers


@cache
def _stated(experiment: str) -> Tolerance:
    stated = experiments.beside_evaluate(experiment, "TOLERANCE")
    return Tolerance(*stated) if stated else EXACT  # of an experiment judged by estimates only names are compared here


def trained(path: Path, claimed: Mapping[str, str]) -> str:
    """Why a file (of claims: all that ``claimed`` holds) is judged by its estimates; empty where cell by cell."""
    names = claimed.values() if path == JUDGED else _experiments(path)
    return next((reason for name in names for reason in _reason(Path(name).name)), "")


@cache
def _reason(experiment: str) -> tuple[str, ...]:
    return experiments.beside_evaluate(experiment, "ESTIMATES") if experiment not in ("", "counterexample") else ()


def _experiments(path: Path) -> tuple[str, ...]:
    return FIGURES[path.stem].cells if path.parent == artifacts.FIGURES else (path.parent.name,)


def _columns(path: Path, fresh: bytes, came: bytes) -> list[Column]:
    try:
        if path.suffix == ".json":
            return compare.documents(fresh, came)
        keys = experiments.beside_evaluate(path.parent.name, "KEYS")
        return compare.tables(fresh, came, (*cells.KEYS, *keys, "role", "bin"))
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read ({reason}); run `dvc repro` or `git checkout {path}`") from None


def _claim(column: str) -> str:
    return column.strip("[").partition("]")[0]


def _is_text(column: Column) -> bool:
    """Names of rows and groups; a sentence on what came out may turn with an estimate."""
    known = column.reference.dropna()
    return bool(pd.to_numeric(known, errors="coerce").isna().any()) and not column.name.endswith("reading")


def _rows(content: bytes, kept: Container[str]) -> list[dict[str, Any]]:
    return [claim for claim in json.loads(content) if claim["id"] in kept]


def _claims(path: Path, fresh: list[dict[str, Any]], came: list[dict[str, Any]]) -> Outcome:
    """Verdicts must be the same but for borderline rows; and so must the estimates, within the inner half."""
    new = {claim["id"]: claim["verdict"] for claim in fresh}
    turned = [claim for claim in came if new.get(claim["id"]) != claim["verdict"]]
    wrong = [claim for claim in turned if not borderline(claim)]
    if wrong:
        words = f"{wrong[0]['id']}: {new.get(wrong[0]['id'], 'absent')} against {wrong[0]['verdict']}"
        return Outcome(path, f"DIFFERS in {len(wrong)} verdicts, first {words}", False)
    found = _estimated(path, json.dumps(fresh).encode(), json.dumps(came).encode())
    borders = f"; {len(turned)} borderline verdicts turned ({', '.join(c['id'] for c in turned)})" if turned else ""
    return found._replace(words=found.words + borders)


def borderline(claim: Mapping[str, Any]) -> bool:
    """Would a shift of the interval by half of its half-width change the verdict?"""
    low, high = claim["interval"]
    if low is None or high is None:
        return False
    shift, given = (high - low) / 4, claim["expected"].get("value")
    band = Band(**{end: claim["expected"].get(end) for end in ("low", "high")}) if given is None else None
    shifted = [Estimate(0, low + step, high + step, claim["n"]) for step in (-shift, 0, shift)]
    words = {placed(found, band) if band else found.low <= given <= found.high for found in shifted}
    return len(words) > 1


def _estimated(path: Path, fresh: bytes, came: bytes) -> Outcome:
    found = compare.estimates(fresh, came)
    if not found:
        return Outcome(path, "has no estimate with an interval", True)
    worst = max(found, key=lambda moved: moved.share)
    beyond = sum(moved.share > 1 for moved in found)
    told = f"{worst.place}: {worst.fresh:.6g} against {worst.reference:.6g}"
    if beyond:
        words = (
            f"DIFFERS in {beyond} of {len(found)} estimates, which leave the inner half of their interval, first {told}"
        )
        return Outcome(path, words, False)
    words = f"{len(found)} estimates in the inner half of their intervals, at worst {worst.share:.2g} of it ({told})"
    return Outcome(path, words, True)


def _both(first: Outcome, second: Outcome) -> Outcome:
    told = [found for found in (first, second) if found.agrees == (first.agrees and second.agrees)]
    return Outcome(first.path, "; ".join(found.words for found in told), first.agrees and second.agrees)


def _judged(path: Path, columns: list[Column], claimed: Mapping[str, str]) -> Outcome:
    if not columns:
        return Outcome(path, "judged by estimates alone", True)
    rooms = [_room(column, tolerance(path, column.name, claimed)) for column in columns]
    with np.errstate(over="ignore"):  # what must be equal has no room at all
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
    command_line(main, __doc__)
