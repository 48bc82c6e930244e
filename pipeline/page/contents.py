"""How the page is divided: groups of figures, verdicts counted by source."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.core import artifacts
from pipeline.core.errors import InputError
from pipeline.figures import FIGURES
from pipeline.objects import Object
from pipeline.summary.sources import SOURCES, Source

DRAWN_BY = "python -m pipeline.figures"
MAIN = ("charikar_fig2b",)  # the figure of the first screen, where there is one


def titles(objects: Mapping[str, list[Object]]) -> dict[str, str]:
    """What each figure is called: its number in the paper, where it has one, and what it shows."""
    numbered = {
        (item.command or "").removeprefix(f"{DRAWN_BY} "): item.object
        for items in objects.values()
        for item in items
        if item.object.startswith("Figure")
    }
    return {
        name: f"{numbered[name]}, {figure.shows}"
        if name in numbered
        else f"{figure.shows[0].upper()}{figure.shows[1:]}"
        for name, figure in FIGURES.items()
    }


def in_order(keys: Iterable[str], sources: Iterable[str]) -> list[str]:
    """Keys of papers as sources are listed; those of no source come last."""
    listed = list(sources)
    return sorted(set(keys), key=lambda key: (listed.index(key) if key in listed else len(listed), key))


def grouped(
    figures: list[dict[str, Any]], sources: Mapping[str, Source], titles: Mapping[str, str]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """Figures by the label of their source, the paper's own first; those of no source go by the key that they name."""
    figures = sorted(figures, key=lambda figure: not titles.get(figure["name"], "").startswith("Figure "))
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
