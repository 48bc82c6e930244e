"""Is a claim so?  Cells -> one value a unit -> the answer to its question (questions.py), with reason and power.

One unit has no interval, so it can settle nothing; but one student may be judged over its test rows, by the standard
error of its paired gain in accuracy.  Without cells the claim is not run.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.summary import chosen, questions
from pipeline.summary.chosen import NotRun
from pipeline.summary.crossfitted import CROSS_FITTED
from pipeline.summary.designs import Design
from pipeline.summary.estimates import gain_over_rows, linearised, over_units_and_rows, plain
from pipeline.summary.judged import JUDGED
from pipeline.summary.statements import FILTERS, TEST_ROW, Claim
from pipeline.summary.tables import Tables
from pipeline.theory.intervals import Estimate

LISTED = 20  # units whose values a reason lists


class Power(NamedTuple):
    """What an inconclusive claim could have seen and would need; None where that is not known."""

    half_width: float | None = None
    units: int | None = None
    minutes: float | None = None


def judge(
    claim: Claim, tables: Tables, confidence: float, designs: Mapping[str, Design] = MappingProxyType({})
) -> dict[str, Any]:
    """The claim with what was measured, its interval, verdict and reason."""
    design = designs.get(claim.experiment, Design())
    overlap = design.overlap.get(claim.over, 0.0) if claim.over else 0.0
    try:
        cells = {name: chosen.select(claim, name, tables) for name in FILTERS if getattr(claim, name) is not None}
        cells = chosen.on_the_same_tasks(claim, cells)
        values: dict[str, float] = {}
        row_error = 0.0
        if claim.over is None:
            found = largest(claim, cells["cells"])
        elif claim.over == TEST_ROW:
            found = over_test_rows(claim, cells["cells"], confidence)
        else:
            values = measured(claim, cells)
            found = questions.estimate(claim, [*values.values()], overlap, confidence)
            if claim.row_error is not None:
                row_error = error_of_rows(claim, cells["cells"])
                found = over_units_and_rows([*values.values()], row_error, confidence, overlap)
    except NotRun as reason:
        return _row(claim, None, "not run", " ".join(filter(None, (str(reason), claim.awaits, claim.why))), Power())
    word = questions.verdict(claim.question, claim.expected, found)
    beside = by_unit(claim, "beside", cells["cells"]) if claim.beside and values else {}
    lacks = power(claim, values, found, confidence, design, row_error) if word == "inconclusive" else Power()
    reason = claim.why if claim.over == TEST_ROW else _reason(claim, values, beside, found, overlap)
    return _row(claim, found, word, reason, lacks)


def measured(claim: Claim, cells: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """One value a unit: the statistic, or its difference from that of `against`, or from what is `predicted` there."""
    values = by_unit(claim, "statistic", cells["cells"])
    if claim.divided_by is not None:
        return _divided(claim, values, by_unit(claim, "divided_by", cells["cells"]))
    if claim.predicted is not None:
        return _less(claim, values, by_unit(claim, "predicted", cells.get("against", cells["cells"])))
    return values if "against" not in cells else _less(claim, values, by_unit(claim, "statistic", cells["against"]))


def by_unit(claim: Claim, key: str, cells: pd.DataFrame) -> dict[str, float]:
    """The statistic of each unit that a claim names under ``key``.  Raises InputError where it has no value."""
    members = chosen.units(claim, cells)
    if getattr(claim, key) in CROSS_FITTED:
        return _cross_fitted(claim, key, members)
    return {unit: _value(claim, key, member) for unit, member in members.items()}


def largest(claim: Claim, cells: pd.DataFrame) -> Estimate:
    """The statistic of all cells at once, the largest violation among them: it has no interval."""
    return Estimate(_value(claim, "statistic", cells), math.nan, math.nan, len(cells))


def over_test_rows(claim: Claim, cells: pd.DataFrame, confidence: float) -> Estimate:
    """Gain in accuracy of one student over its test rows.  Raises InputError where there are several students."""
    if len(cells) != 1:
        raise claim.wrong("over", TEST_ROW, f"it takes one cell, not {len(cells)}; add keys under cells")
    return gain_over_rows(cells.iloc[0], confidence)


def error_of_rows(claim: Claim, cells: pd.DataFrame) -> float:
    """Standard error of the mean over units by the draw of the test rows that they share: the column ``row_error``.

    It stands there for each teacher; of several on the same rows the mean, as if their errors went together.
    """
    if claim.row_error not in cells:
        raise claim.wrong("row_error", claim.row_error, f"cells of {claim.experiment} lack this column; remove it")
    return float(cells[claim.row_error].mean())


def power(
    claim: Claim,
    values: Mapping[str, float],
    found: Estimate,
    confidence: float,
    design: Design,
    row_error: float = 0.0,
) -> Power:
    """What the interval could have seen, the units that would decide, and the minutes that those still lacking take."""
    if not math.isfinite(found.low):
        return Power()
    overlap = design.overlap.get(str(claim.over), 0.0)
    if claim.row_error is not None:  # more units leave the error of the rows, as of resamples that of what they share
        overlap += (row_error / float(np.std([*values.values()], ddof=1))) ** 2
    units = questions.units_needed(claim, [*values.values()], found, overlap, confidence)
    known = units is not None and design.minutes is not None and claim.over != TEST_ROW
    minutes = design.minutes / found.n * max(units - found.n, 0) if known else None
    return Power(questions.half_width(found), units, minutes)


def _cross_fitted(claim: Claim, key: str, members: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    if len(members) == 1:
        raise NotRun(f"{getattr(claim, key)} chooses on the other {claim.over}s, and there is one alone.")
    found = {}
    for unit, own in members.items():
        others = pd.concat([other for name, other in members.items() if name != unit])
        found[unit] = _called(claim, key, CROSS_FITTED[getattr(claim, key)], own, others)
    return found


def _value(claim: Claim, key: str, cells: pd.DataFrame) -> float:
    return _called(claim, key, JUDGED[getattr(claim, key)], cells)


def _called(claim: Claim, key: str, statistic: Callable[..., float], *cells: pd.DataFrame) -> float:
    """The statistic of one unit's cells; what it cannot make of them is one line that names the claim."""
    name = getattr(claim, key)
    try:
        value = statistic(*cells)
    except KeyError as error:
        raise claim.wrong(key, name, f"cells of {claim.experiment} lack its column {error}; choose another") from None
    except (IndexError, TypeError, ValueError, ZeroDivisionError) as error:
        reason = f"over these {len(cells[0])} cells it has no value ({type(error).__name__}: {error})"
        raise claim.wrong(key, name, f"{reason}; choose cells for which it has a meaning") from error
    if not math.isfinite(value):
        place = "all cells" if claim.over is None else f"{claim.over} {cells[0][claim.over].iloc[0]}"
        raise claim.wrong(key, name, f"of {place} it is {value}; choose cells for which it has a meaning")
    return value


def _divided(claim: Claim, above: Mapping[str, float], below: Mapping[str, float]) -> dict[str, float]:
    """Values whose mean is the ratio of the means (``linearised``).  Raises InputError where it is none."""
    if not math.fsum(below.values()):
        raise claim.wrong("divided_by", claim.divided_by, "it is 0 over these cells; choose others")
    values = linearised([*above.values()], [below[unit] for unit in above])
    return dict(zip(above, values.tolist(), strict=True))


def _less(claim: Claim, values: Mapping[str, float], reference: Mapping[str, float]) -> dict[str, float]:
    """Differences unit by unit."""
    differences = {unit: values[unit] - reference[unit] for unit in values if unit in reference}
    if not differences:
        raise claim.wrong("over", claim.over, f"cells and against have no {claim.over} in common; choose another unit")
    return differences


def _row(claim: Claim, found: Estimate | None, word: questions.Verdict, why: str, lacks: Power) -> dict[str, Any]:
    return plain(
        {
            "id": claim.id,
            "paper": claim.paper,
            "kind": claim.kind,
            "statement": claim.statement,
            "wording": claim.wording,
            "question": claim.question,
            "experiment": claim.experiment,
            "measured": found and found.value,
            "interval": [found.low, found.high] if found else [None, None],
            "n": found.n if found else 0,
            "unit": claim.over or "cell",
            "statistic": claim.statistic,
            "expected": claim.expected.model_dump(),
            "verdict": word,
            "half_width": lacks.half_width,
            "units_needed": lacks.units,
            "minutes_needed": lacks.minutes,
            "why": why,
            "figure": claim.figure,
            "topic": claim.topic,
        }
    )


def _reason(claim: Claim, values: dict[str, float], beside: dict[str, float], found: Estimate, overlap: float) -> str:
    if claim.question == "universal":
        return f"Largest over {found.n} cells. {claim.why}".strip()
    inside = questions.hits(claim, [*values.values()])
    listed = ", ".join(
        f"{unit}: {value:.3g}" + (f" ({beside[unit]:.2g})" if unit in beside else "")
        for unit, value in [*values.items()][:LISTED]
    )
    more = f" and {len(values) - LISTED} more" if len(values) > LISTED else ""
    bracket = f"; in brackets {claim.beside.replace('_', ' ')}" if beside and claim.beside else ""
    texts = [_counted(claim, len(inside), len(values)) + f" ({listed}{more}{bracket})."]
    if len(values) == 1:
        texts.append(f"One {claim.over} gives no interval.")
    elif questions.without_spread(found):
        texts.append("No spread, so no interval that could decide.")
    elif not math.isfinite(found.low):
        texts.append(f"So few {claim.over}s give no interval.")
    if claim.row_error is not None:
        texts.append(f"The {claim.over}s share their test rows; the interval is for other rows, too.")
    if overlap:
        texts.append(f"The {claim.over}s share rows, which the interval takes into account.")
    return " ".join([*texts, claim.why]).strip()


def _counted(claim: Claim, inside: int, units: int) -> str:
    if claim.question == "prediction":
        return f"Over {units} {claim.over}s"
    if claim.question == "share":
        return f"{inside} of {units} {claim.over}s are hits"
    if claim.question == "ratio":
        return f"Ratio of two means over {units} {claim.over}s; a {claim.over} moves it as if its own were"
    return f"In the band for {inside} of {units} {claim.over}s"
