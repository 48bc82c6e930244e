"""How the page is divided: groups of figures, papers, verdicts counted."""

from collections import Counter
from typing import Any

from pipeline.summary.figures import FIGURES

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
LANGUAGE = "Language models"
MAIN = ("charikar_fig2b",)  # the figure of the first screen, where there is one


def paper(key: str) -> str:
    """Short name of a source."""
    return PAPERS.get(key, key)


def grouped(figures: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Figures by what they belong to, in the order in which they are listed."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for figure in figures:
        groups.setdefault(_group(figure["name"]), []).append(figure)
    return sorted(groups.items(), key=lambda group: group[0] == LANGUAGE)


def tally(claims: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Verdicts of each source, most claims first."""
    counts: dict[str, Counter[str]] = {}
    for claim in claims:
        counts.setdefault(claim["paper"], Counter())[claim["verdict"]] += 1
    rows = [{"key": key, "label": paper(key), "counts": count} for key, count in counts.items()]
    return sorted(rows, key=lambda row: -row["counts"].total())


def _group(name: str) -> str:
    if FIGURES[name].experiment.startswith("published/preferences"):
        return LANGUAGE
    return "Charikar et al. 2024: squared loss" if name.startswith("charikar") else "Yao et al. 2025: classification"
