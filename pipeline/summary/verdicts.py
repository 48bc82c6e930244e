"""Does a claim hold?  Rule: the interval over seeds or splits wholly inside the expected band -> holds; wholly outside
-> fails; otherwise inconclusive; without cells -> not run.  One unit has no interval, so it can settle nothing; but
one student may be judged over its test rows, by the standard error of its paired gain in accuracy.
"""

import math
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import Field, model_validator

from pipeline.core.config import Block, Count, NonNegative, Positive
from pipeline.core.errors import InputError
from pipeline.summary.estimates import gain_over_rows, over_units, plain
from pipeline.summary.judged import JUDGED
from pipeline.summary.tables import Tables
from pipeline.theory.intervals import Estimate

Word = Annotated[str, Field(min_length=1)]
Verdict = Literal["holds", "fails", "inconclusive", "not run"]


class Band(Block):
    """Expected range, ends included; an end left out is open."""

    low: Annotated[float, Field(allow_inf_nan=False)] | None = None
    high: Annotated[float, Field(allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> "Band":
        if self.low is None and self.high is None:
            raise ValueError("give low, high or both")
        if self.ends()[0] > self.ends()[1]:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self

    def ends(self) -> tuple[float, float]:
        """Both ends, open ones infinite."""
        return (-math.inf if self.low is None else self.low, math.inf if self.high is None else self.high)


class Filter(Block):
    """Which cells: those that equal every key given."""

    panel: Literal["realizable", "pretrained", "perturbed", "main", "noise", "curve", "distinct"] | None = None
    dataset: Literal["esol", "freesolv", "lipop", "harmless", "helpful", "sciq", "cai_harmless"] | None = None
    head: Literal["adamw", "exact", "ball", "mixture", "softmax", "frozen", "full", "lora"] | None = None
    inputs: Literal["fresh", "reused", "same", "half"] | None = None
    schedule: Literal["sequential", "joint"] | None = None
    epochs: Count | None = None
    ladder: Literal["smiles", "morgan", "strong"] | None = None
    regime: Literal["full", "few"] | None = None
    training: Literal["frozen", "finetuned"] | None = None
    weak: Word | None = None
    strong: Word | None = None
    n_train: Count | None = None
    loss: Word | None = None
    labels: Literal["soft", "hard"] | None = None
    direction: Literal["forward", "reverse"] | None = None
    epoch: Annotated[float, Field(ge=1)] | None = None
    lr: Positive | None = None
    noise: NonNegative | None = None
    sharpening: Positive | None = None


class Claim(Block):
    """One row of claims.yaml."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    paper: Word
    statement: Word
    wording: Literal["verified", "recalled", "derived"]
    experiment: Word
    cells: Filter
    against: Filter | None = None
    statistic: Word
    over: Literal["seed", "split", "example", "test_row"]
    expected: Band
    beside: Word | None = None
    figure: Word
    why: str = ""

    @model_validator(mode="after")
    def _known_statistics(self) -> "Claim":
        for name in filter(None, (self.statistic, self.beside)):
            if name not in JUDGED:
                raise ValueError(f"statistic '{name}' is not known; choose from {', '.join(sorted(JUDGED))}")
        if self.over == "test_row" and self.statistic != "mean_accuracy_gain":
            raise ValueError("over test_row only mean_accuracy_gain has an interval; choose it, or another unit")
        return self


def judge(claim: Claim, tables: Tables, confidence: float) -> dict[str, Any]:
    """The claim with what was measured, its interval, verdict and reason."""
    chosen = select(claim, claim.cells, tables)
    if isinstance(chosen, str):
        return _row(claim, None, "not run", f"{chosen}. {claim.why}" if claim.why else chosen)
    if claim.over == "test_row":
        estimate = over_test_rows(claim, chosen, confidence)
        return _row(claim, estimate, verdict(estimate, claim.expected), claim.why)
    measured = by_unit(claim, claim.statistic, chosen)
    if claim.against is not None:
        other = select(claim, claim.against, tables)
        if isinstance(other, str):
            return _row(claim, None, "not run", other)
        reference = by_unit(claim, claim.statistic, other)
        measured = {unit: measured[unit] - reference[unit] for unit in measured if unit in reference}
    estimate = over_units("difference" if claim.against else claim.statistic, list(measured.values()), confidence)
    beside = by_unit(claim, claim.beside, chosen) if claim.beside else {}
    return _row(claim, estimate, verdict(estimate, claim.expected), _reason(claim, measured, beside))


def verdict(estimate: Estimate, expected: Band) -> Verdict:
    """The rule stated at the top of this file."""
    low, high = expected.ends()
    if estimate.low >= low and estimate.high <= high:
        return "holds"
    return "fails" if estimate.high < low or estimate.low > high else "inconclusive"


def select(claim: Claim, wanted: Filter, tables: Tables) -> pd.DataFrame | str:
    """Cells of a claim, or the reason why there are none."""
    if claim.experiment not in tables:
        return f"no cells of {claim.experiment} in this repository yet"
    cells = tables[claim.experiment]
    for key, value in wanted.model_dump(exclude_none=True).items():
        if key not in cells:
            raise InputError(
                f"claims.yaml: claim '{claim.id}': cells of {claim.experiment} have no column {key}; drop it"
            )
        same = (
            cells[key] == value if pd.api.types.is_numeric_dtype(cells[key]) else cells[key].astype(str) == str(value)
        )
        cells = cells[same]
        if cells.empty:
            return f"no cell of {claim.experiment} has {key} {value} (with the keys before it)"
    return cells


def by_unit(claim: Claim, statistic: str, cells: pd.DataFrame) -> dict[str, float]:
    """The statistic of each seed or split.  Raises InputError where it has no value."""
    values = {str(unit): JUDGED[statistic](member) for unit, member in cells.groupby(claim.over)}
    for unit, value in values.items():
        if not math.isfinite(value):
            raise InputError(
                f"claims.yaml: claim '{claim.id}': {statistic} of {claim.over} {unit} is {value}; "
                "choose cells for which it has a meaning"
            )
    return values


def over_test_rows(claim: Claim, cells: pd.DataFrame, confidence: float) -> Estimate:
    """Gain in accuracy of one student over its test rows.  Raises InputError where there are several students."""
    if len(cells) != 1:
        raise InputError(f"claims.yaml: claim '{claim.id}': over test_row takes one cell, not {len(cells)}; add keys")
    return gain_over_rows(cells.iloc[0], confidence)


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
