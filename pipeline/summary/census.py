"""How many claims of each kind hold, fail, stay open or were not run: the papers' claims first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.summary.statements import KINDS

VERDICTS = ("holds", "fails", "inconclusive", "not run")
NAMES = {
    "claim": "claims of the papers",
    "check": "checks: identities, theorems, bounds",
    "ours": "questions of this artifact",
    "control": "controls",
}


class Count(NamedTuple):
    """One kind: how many of each verdict, and the share of those that were run that is decided (None: none was)."""

    kind: str
    name: str
    verdicts: Mapping[str, int]
    decided: float | None


def census(judged: Sequence[Mapping[str, Any]]) -> list[Count]:
    """A count for each kind that occurs, in the order of ``KINDS``; judged: rows of report/claims.json."""
    counts = {kind: Counter(row["verdict"] for row in judged if row["kind"] == kind) for kind in KINDS}
    return [_count(kind, verdicts) for kind, verdicts in counts.items() if verdicts]


def written(judged: Sequence[Mapping[str, Any]]) -> str:
    """The census as lines of text."""
    lines = [f"{'':38}{''.join(f'{verdict:>14}' for verdict in VERDICTS)}{'decided':>10}"]
    for count in census(judged):
        numbers = "".join(f"{count.verdicts[verdict]:>14}" for verdict in VERDICTS)
        lines.append(f"{count.name:38}{numbers}{percent(count.decided):>10}")
    return "\n".join(lines)


def percent(share: float | None) -> str:
    """A share in whole percent; a dash where there is none."""
    return "–" if share is None else f"{share:.0%}"


def _count(kind: str, verdicts: Counter[str]) -> Count:
    decided, run = verdicts["holds"] + verdicts["fails"], verdicts.total() - verdicts["not run"]
    return Count(kind, NAMES[kind], verdicts, decided / run if run else None)
