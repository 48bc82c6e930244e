"""How the page is divided: groups of figures, papers, verdicts counted."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

VERDICTS = ("holds", "fails", "inconclusive", "not run")
# Short names of the sources in claims.yaml; a source that is not here goes by its key.
PAPERS = {
    "charikar2024": "Charikar et al. 2024",
    "yao2025": "Yao et al. 2025",
    "yao2025reverse": "Yao et al. 2025, reverse KL",
    "yao2025f": "Yao et al. 2025, f-divergences",
    "burns2023": "Burns et al. 2023",
}
LINKS = {
    "Quantifying the Gain in Weak-to-Strong Generalization": "https://arxiv.org/abs/2405.15116",
    "Understanding the Capabilities and Limitations of Weak-to-Strong Generalization": "https://arxiv.org/abs/2502.01458",
}
MAIN = ("charikar_fig2b",)  # the figure of the first screen, where there is one


def paper(key: str) -> str:
    """Short name of a source."""
    return PAPERS.get(key, key)


def in_order(keys: Iterable[str]) -> list[str]:
    """Sources in the order in which the page speaks of them; those it does not know come last."""
    known = list(PAPERS)
    return sorted(set(keys), key=lambda key: (known.index(key) if key in known else len(known), key))


def grouped(figures: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Figures by the label of their source."""
    sources = in_order(figure["source"] for figure in figures)
    return [(paper(key), [figure for figure in figures if figure["source"] == key]) for key in sources]


def tally(claims: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Verdicts of each source, most claims first."""
    counts: dict[str, Counter[str]] = {}
    for claim in claims:
        counts.setdefault(claim["paper"], Counter())[claim["verdict"]] += 1
    rows = [{"key": key, "label": paper(key), "counts": count} for key, count in counts.items()]
    return sorted(rows, key=lambda row: -row["counts"].total())
