"""How the page is divided: groups of figures, verdicts counted by source."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipeline.core import artifacts
from pipeline.core.errors import InputError
from pipeline.summary.figures import FIGURES
from pipeline.summary.sources import SOURCES, Source

VERDICTS = ("holds", "fails", "inconclusive", "not run")
LANGUAGE = "Language models"
MAIN = ("charikar_fig2b",)  # the figure of the first screen, where there is one


def grouped(figures: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Figures by what they belong to, in the order in which they are listed."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for figure in figures:
        groups.setdefault(_group(figure["name"]), []).append(figure)
    return sorted(groups.items(), key=lambda group: group[0] == LANGUAGE)


def tally(claims: list[dict[str, Any]], sources: Mapping[str, Source]) -> list[dict[str, Any]]:
    """Verdicts of each source that has claims, as sources are listed.  Raises InputError where one is not listed."""
    counts: dict[str, Counter[str]] = {key: Counter() for key in sources}
    for claim in claims:
        if claim["paper"] not in counts:
            raise InputError(
                f"{artifacts.REPORT}/claims.json: {claim['id']} is of '{claim['paper']}', which {SOURCES} lacks; "
                "run `python -m pipeline.claims`"
            )
        counts[claim["paper"]][claim["verdict"]] += 1
    return [{"key": key, "label": sources[key].label, "counts": count} for key, count in counts.items() if count]


def _group(name: str) -> str:
    if FIGURES[name].experiment.startswith("published/preferences"):
        return LANGUAGE
    return "Charikar et al. 2024: squared loss" if name.startswith("charikar") else "Yao et al. 2025: classification"
