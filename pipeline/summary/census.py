"""How many claims of each kind hold, fail, stay open or were not run: the papers' claims first.

Of those that stay open, some would for any number of units of the same data (``power.py``).  They are counted, too, so
that the share decided is given of all that were run and of those that more units could decide.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.summary.statements import KINDS

VERDICTS = ("holds", "fails", "inconclusive", "not run")
SHARES = ("decided", "of decidable")
NAMES = {
    "claim": "claims of the papers",
    "check": "checks: identities, theorems, bounds",
    "ours": "questions of this artifact",
    "control": "controls",
}


class Count(NamedTuple):
    """One kind: how many of each verdict, and the share decided of those that were run (None: none was).

    beyond: open claims that no number of units would decide; decidable: the share decided of all but these.
    """

    kind: str
    name: str
    verdicts: Mapping[str, int]
    decided: float | None
    beyond: int
    decidable: float | None


class Topic(NamedTuple):
    """What some claims of one source say, in words; ``rows`` are theirs in report/claims.json."""

    paper: str
    words: str
    rows: list[Mapping[str, Any]]


def topics(judged: Sequence[Mapping[str, Any]], kind: str = "claim") -> list[Topic]:
    """Claims of one kind by source and topic, each in the order in which it first occurs."""
    found: dict[tuple[str, str], Topic] = {}
    for row in (row for row in judged if row["kind"] == kind):
        words = row["topic"] or row["statement"]
        found.setdefault((row["paper"], words), Topic(row["paper"], words, [])).rows.append(row)
    return list(found.values())


def counted(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """How many of some rows have each verdict; of the open ones, those beyond reach in brackets."""
    return written_counts(_count("claim", rows))[: len(VERDICTS)]


def census(judged: Sequence[Mapping[str, Any]]) -> list[Count]:
    """A count for each kind that occurs, in the order of ``KINDS``; judged: rows of report/claims.json."""
    kinds = {kind: [row for row in judged if row["kind"] == kind] for kind in KINDS}
    return [_count(kind, rows) for kind, rows in kinds.items() if rows]


def written(judged: Sequence[Mapping[str, Any]]) -> str:
    """The census as lines of text."""
    lines = [f"{'':38}{''.join(f'{word:>14}' for word in (*VERDICTS, *SHARES))}"]
    for count in census(judged):
        lines.append(f"{count.name:38}{''.join(f'{word:>14}' for word in written_counts(count))}")
    return "\n".join(lines)


def written_counts(count: Count) -> list[str]:
    """The numbers of one kind in the order of ``VERDICTS`` and ``SHARES``; open ones beyond reach in brackets."""
    numbers = [str(count.verdicts[verdict]) for verdict in VERDICTS]
    if count.beyond:
        numbers[VERDICTS.index("inconclusive")] += f" ({count.beyond})"
    return [*numbers, percent(count.decided), percent(count.decidable)]


def percent(share: float | None) -> str:
    """A share in whole percent; a dash where there is none."""
    return "–" if share is None else f"{share:.0%}"


def _count(kind: str, rows: Sequence[Mapping[str, Any]]) -> Count:
    verdicts = Counter(row["verdict"] for row in rows)
    decided, run = verdicts["holds"] + verdicts["fails"], verdicts.total() - verdicts["not run"]
    beyond = sum(_beyond(row) for row in rows)
    return Count(
        kind,
        NAMES[kind],
        verdicts,
        decided / run if run else None,
        beyond,
        decided / (run - beyond) if run > beyond else None,
    )


def _beyond(row: Mapping[str, Any]) -> bool:
    """Whether a claim is open, has an interval with a width, and no number of units would decide it."""
    return row["verdict"] == "inconclusive" and bool(row["half_width"]) and row["units_needed"] is None
