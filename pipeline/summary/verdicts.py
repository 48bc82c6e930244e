"""Does a claim hold?  Rule: the interval over seeds or splits wholly inside the expected band -> holds; wholly outside
-> fails; otherwise inconclusive; without cells -> not run.  One unit has no interval, so it can settle nothing; but
one student may be judged over its test rows, by the standard error of its paired gain in accuracy.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd

from pipeline.summary import chosen
from pipeline.summary.chosen import NotRun
from pipeline.summary.estimates import gain_over_rows, over_units, plain
from pipeline.summary.judged import JUDGED
from pipeline.summary.statements import FILTERS, TEST_ROW, Band, Claim
from pipeline.summary.tables import Tables
from pipeline.theory.intervals import Estimate

Verdict = Literal["holds", "fails", "inconclusive", "not run"]


def judge(claim: Claim, tables: Tables, confidence: float) -> dict[str, Any]:
    """The claim with what was measured, its interval, verdict and reason."""
    try:
        cells = {name: chosen.select(claim, name, tables) for name in FILTERS if getattr(claim, name) is not None}
    except NotRun as reason:
        return _row(claim, None, "not run", " ".join(filter(None, (str(reason), claim.awaits, claim.why))))
    if claim.over == TEST_ROW:
        estimate = over_test_rows(claim, cells["cells"], confidence)
        return _row(claim, estimate, verdict(estimate, claim.expected), claim.why)
    measured = by_unit(claim, "statistic", cells["cells"])
    if claim.against is not None:
        measured = _less(claim, measured, by_unit(claim, "statistic", cells["against"]))
    measure = claim.statistic if claim.against is None else "difference"
    estimate = over_units(measure, list(measured.values()), confidence)
    beside = by_unit(claim, "beside", cells["cells"]) if claim.beside else {}
    return _row(claim, estimate, verdict(estimate, claim.expected), _reason(claim, measured, beside))


def verdict(estimate: Estimate, expected: Band) -> Verdict:
    """The rule stated at the top of this file."""
    low, high = expected.ends()
    if estimate.low >= low and estimate.high <= high:
        return "holds"
    return "fails" if estimate.high < low or estimate.low > high else "inconclusive"


def by_unit(claim: Claim, key: str, cells: pd.DataFrame) -> dict[str, float]:
    """The claim's `statistic` or `beside` of each unit.  Raises InputError where it has no value."""
    values = {unit: _value(claim, key, member) for unit, member in chosen.units(claim, cells).items()}
    for unit, value in values.items():
        if not math.isfinite(value):
            remedy = f"of {claim.over} {unit} it is {value}; choose cells for which it has a meaning"
            raise claim.wrong(key, getattr(claim, key), remedy)
    return values


def over_test_rows(claim: Claim, cells: pd.DataFrame, confidence: float) -> Estimate:
    """Gain in accuracy of one student over its test rows.  Raises InputError where there are several students."""
    if len(cells) != 1:
        raise claim.wrong("over", TEST_ROW, f"it takes one cell, not {len(cells)}; add keys under cells")
    return gain_over_rows(cells.iloc[0], confidence)


def _value(claim: Claim, key: str, cells: pd.DataFrame) -> float:
    name = getattr(claim, key)
    try:
        return JUDGED[name](cells)
    except KeyError as error:
        raise claim.wrong(key, name, f"cells of {claim.experiment} lack its column {error}; choose another") from None
    except (IndexError, TypeError, ValueError, ZeroDivisionError) as error:
        reason = f"over these {len(cells)} cells it has no value ({type(error).__name__}: {error})"
        raise claim.wrong(key, name, f"{reason}; choose cells for which it has a meaning") from error


def _less(claim: Claim, measured: Mapping[str, float], reference: Mapping[str, float]) -> dict[str, float]:
    """Differences unit by unit."""
    differences = {unit: measured[unit] - reference[unit] for unit in measured if unit in reference}
    if not differences:
        raise claim.wrong("over", claim.over, f"cells and against have no {claim.over} in common; choose another unit")
    return differences


def _row(claim: Claim, estimate: Estimate | None, word: Verdict, why: str) -> dict[str, Any]:
    return plain(
        {
            "id": claim.id,
            "paper": claim.paper,
            "statement": claim.statement,
            "wording": claim.wording,
            "experiment": claim.experiment,
            "measured": estimate and estimate.value,
            "interval": [estimate.low, estimate.high] if estimate else [None, None],
            "n": estimate.n if estimate else 0,
            "unit": claim.over,
            "statistic": claim.statistic,
            "expected": claim.expected.model_dump(),
            "verdict": word,
            "why": why,
            "figure": claim.figure,
        }
    )


def _reason(claim: Claim, measured: dict[str, float], beside: dict[str, float]) -> str:
    low, high = claim.expected.ends()
    inside = [unit for unit, value in measured.items() if low <= value <= high]
    listed = ", ".join(
        f"{unit}: {value:.3g}" + (f" ({beside[unit]:.2g})" if unit in beside else "")
        for unit, value in measured.items()
    )
    bracket = f"; in brackets {claim.beside.replace('_', ' ')}" if beside and claim.beside else ""
    single = f" One {claim.over} gives no interval." if len(measured) == 1 else ""
    text = f"In the band for {len(inside)} of {len(measured)} {claim.over}s ({listed}{bracket}).{single}"
    return f"{text} {claim.why}".strip()
