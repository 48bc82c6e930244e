"""How the page is divided: groups of figures, verdicts counted by source."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.core import artifacts
from pipeline.core.errors import InputError
from pipeline.summary.sources import SOURCES, Source

MAIN = ("charikar_fig2b",)  # the figure of the first screen, where there is one


def in_order(keys: Iterable[str], sources: Iterable[str]) -> list[str]:
    """Keys of papers as sources are listed; those of no source come last."""
    listed = list(sources)
    return sorted(set(keys), key=lambda key: (listed.index(key) if key in listed else len(listed), key))


def grouped(figures: list[dict[str, Any]], sources: Mapping[str, Source]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Figures by the label of their source; those of no source go by the key that they name."""
    keys = in_order((figure["source"] for figure in figures), sources)
    labels = {key: sources[key].label if key in sources else key for key in keys}
    return [(labels[key], [figure for figure in figures if figure["source"] == key]) for key in keys]


def tally(claims: list[dict[str, Any]], sources: Mapping[str, Source]) -> list[dict[str, Any]]:
    """Verdicts on the claims of each paper, as sources are listed.  Raises InputError where one is not listed."""
    counts: dict[str, Counter[str]] = {key: Counter() for key in sources}
    for claim in claims:
        if claim["paper"] not in counts:
            raise InputError(
                f"{artifacts.REPORT}/claims.json: {claim['id']} is of '{claim['paper']}', which {SOURCES} lacks; "
                "run `python -m pipeline.claims`"
            )
        counts[claim["paper"]][claim["verdict"]] += claim["kind"] == "claim"
    return [
        {"key": key, "label": sources[key].label, "counts": count} for key, count in counts.items() if count.total()
    ]
