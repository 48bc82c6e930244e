"""A claim as it is written, claims/<source>.yaml: what its group shares and what it gives itself."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pipeline.core import config
from pipeline.core.config import Block, Word
from pipeline.core.errors import InputError
from pipeline.summary.crossfitted import CROSS_FITTED
from pipeline.summary.filters import Changes, Filter
from pipeline.summary.judged import JUDGED
from pipeline.summary.sources import CLAIMS

TEST_ROW = "test_row"  # the unit that is no column of the cells
FILTERS = ("cells", "against")
KINDS = ("claim", "check", "ours", "control")  # in the order in which they are counted
QUESTIONS = ("mean", "equivalence", "prediction", "median", "share", "ratio", "universal", "law")
WITHIN_A_MARGIN = ("equivalence", "law")
# Keys that some questions need and the others have no use for.
NEEDED_BY = {
    "predicted": ("law",),
    "hit": ("share",),
    "divided_by": ("ratio",),
    "over": tuple(question for question in QUESTIONS if question != "universal"),
}


class Band(Block):
    """Expected range, ends included; an end left out is open.  Or one value, to be predicted."""

    low: Annotated[float, Field(allow_inf_nan=False)] | None = None
    high: Annotated[float, Field(allow_inf_nan=False)] | None = None
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> "Band":
        if (self.low is None and self.high is None) == (self.value is None):
            raise ValueError("give low, high or both, or value alone")
        if self.ends()[0] > self.ends()[1]:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self

    def ends(self) -> tuple[float, float]:
        """Both ends, open ones infinite."""
        if self.value is not None:
            return self.value, self.value
        return (-math.inf if self.low is None else self.low, math.inf if self.high is None else self.high)


class Claim(Block):
    """One claim with the key of its source; what the keys mean stands in claims/README.md."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    paper: Word
    statement: Word
    kind: Literal["claim", "check", "ours", "control"]
    wording: Literal["verified", "recalled", "derived"]
    question: Literal["mean", "equivalence", "prediction", "median", "share", "ratio", "universal", "law"] = "mean"
    experiment: Word
    cells: Filter
    against: Changes | None = None
    teachers: Literal["above_chance", "with_room"] | None = None
    statistic: Word
    predicted: Word | None = Field(default=None, validate_default=True)
    hit: Band | None = Field(default=None, validate_default=True)
    divided_by: Word | None = Field(default=None, validate_default=True)
    over: Word | None = Field(default=None, validate_default=True)
    row_error: Word | None = None
    expected: Band
    beside: Word | None = None
    figure: Word
    topic: Word | None = None
    awaits: Word | None = None
    why: str = Field(default="", validate_default=True)

    @field_validator("statistic", "predicted", "divided_by", "beside")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        known = {*JUDGED, *CROSS_FITTED}
        if name is not None and name not in known:
            raise ValueError(f"choose from {', '.join(sorted(known))}")
        return name

    @field_validator(*NEEDED_BY)
    @classmethod
    def _where_needed(cls, value: Any, given: ValidationInfo) -> Any:
        question, key = given.data.get("question"), str(given.field_name)
        if question is not None and (value is not None) != (question in NEEDED_BY[key]):
            wants = "needs" if value is None else "has no use for"
            raise ValueError(f"question {question} {wants} {key}")
        return value

    @field_validator("over")
    @classmethod
    def _has_an_interval(cls, over: str | None, given: ValidationInfo) -> str | None:
        judged = given.data.get("statistic"), given.data.get("against")
        if over == TEST_ROW and judged != ("mean_accuracy_gain", None):
            raise ValueError("over it only mean_accuracy_gain, without against, has an interval; choose another unit")
        return over

    @field_validator("divided_by")
    @classmethod
    def _of_the_same_cells(cls, divided_by: str | None, given: ValidationInfo) -> str | None:
        if divided_by is not None and given.data.get("against") is not None:
            raise ValueError("a ratio is one of the same cells; remove against")
        return divided_by

    @field_validator("row_error")
    @classmethod
    def _beside_a_mean(cls, row_error: str | None, given: ValidationInfo) -> str | None:
        question = given.data.get("question")
        if row_error is not None and question not in (None, "mean", "equivalence"):
            raise ValueError(f"question {question} has no use for row_error")
        return row_error

    @field_validator("expected")
    @classmethod
    def _answers_the_question(cls, expected: Band, given: ValidationInfo) -> Band:
        question = given.data.get("question")
        if (question == "prediction") != (expected.value is not None):
            raise ValueError("question prediction, and no other, expects a value")
        if question in WITHIN_A_MARGIN and None in (expected.low, expected.high):
            raise ValueError(f"question {question} needs both ends")
        if question == "universal" and expected.high is None:
            raise ValueError("question universal needs high, the rounding that is allowed")
        return expected

    @field_validator("why")
    @classmethod
    def _gives_a_reason(cls, why: str, given: ValidationInfo) -> str:
        if not why and given.data.get("question") in WITHIN_A_MARGIN:
            raise ValueError(f"question {given.data['question']} states here the reason for its margin")
        return why

    @property
    def path(self) -> Path:
        """The file in which it stands."""
        return CLAIMS / f"{self.paper}.yaml"

    def wrong(self, key: str, value: Any, remedy: str) -> InputError:
        """The error that a value of this claim is: one line."""
        return InputError(f"{self.path}: {self.id}.{key} is {value!r}; {remedy}")

    def wanted(self, name: str) -> Filter:
        """Columns and values of `cells`, or of `against`: those of `cells` but for what it changes; null is any."""
        joined = self.cells if name == "cells" else {**self.cells, **(self.against or {})}
        return {key: value for key, value in joined.items() if value is not None}


def read(path: Path) -> list[Claim]:
    """The claims of one source.  Raises InputError that names claim and key."""
    groups = config.read_any(path)
    if not isinstance(groups, list) or not groups:
        raise InputError(f"{path} holds no list of groups of claims; restore it with `git checkout {path}`")
    return [
        config.validate(Claim, row, str(row.get("id", f"claim {place} of group {number}")), path)
        for number, group in enumerate(groups, 1)
        for place, row in enumerate(_rows(group, number, path), 1)
    ]


def _rows(group: Any, number: int, path: Path) -> Iterator[dict[str, Any]]:
    """Each claim of a group, completed by what the group shares and by its source."""
    if not isinstance(group, dict) or not isinstance(group.get("claims"), list) or not group["claims"]:
        raise InputError(f"{path}: group {number} has no list under `claims`; give it one, as the others have")
    shared = {key: value for key, value in group.items() if key != "claims"}
    for place, claim in enumerate(group["claims"], 1):
        if not isinstance(claim, dict):
            raise InputError(f"{path}: claim {place} of group {number} is {claim!r}; give it keys as the others have")
        if "paper" in shared | claim:
            raise InputError(f"{path}: {claim.get('id')}.paper is not a known key; remove it, the file's name says it")
        joined = {key: {**shared[key], **claim[key]} for key in FILTERS if _both(shared, claim, key)}
        yield {**shared, **claim, **joined, "paper": path.stem}


def _both(shared: dict[str, Any], claim: dict[str, Any], key: str) -> bool:
    return isinstance(shared.get(key), dict) and isinstance(claim.get(key), dict)
