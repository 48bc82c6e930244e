"""The field in one frame: gain over misfit in every domain, as measured and as the distance from the class predicts."""

import math
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary import domains
from pipeline.summary.estimates import plain
from pipeline.summary.tables import Tables
from pipeline.summary.words import number, span

# Colour and marker differ together; squared loss in round marks, KL in cornered ones.
LOOKS = {
    "random networks": ("#0072B2", "o"),
    "molecules": ("#009E73", "h"),
    "essays": ("#D55E00", "p"),
    "random networks, KL": ("#56B4E9", "s"),
    "digits, KL": ("#E69F00", "^"),
    "language, KL": ("#CC79A7", "D"),
    "images, KL": ("#7A5C00", "v"),
    "under shift": ("#8172B3", "P"),
}
LOWEST, HIGHEST = -1.7, 2.0  # of gain / misfit; what lies further out is counted
LEAST, MOST = -1.9, 1.4  # of what is predicted
NEAR, FAR = 0.02, 40.0  # of sqrt(epsilon / misfit); what is nearer stands at the edge

EDGE = 1.15 * NEAR


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Every pair of every domain: measured, predicted by the other pairs of its table, and distance; controls."""
    groups: dict[str, Numbers] = {}
    for domain in domains.DOMAINS:
        pairs = domains.measured(domain, tables, settings.confidence)
        if pairs:
            own = groups.setdefault(domain.name, {"points": [], "controls": []})
            predicted = domains.predicted(pairs)
            own["points"] += [{**pair._asdict(), "predicted": x} for pair, x in zip(pairs, predicted, strict=True)]
            own["controls"] += [pair._asdict() for pair in domains.controls(domain, tables, settings.confidence)]
    told = [{"domain": name, "error": _error(own["points"]), **own} for name, own in groups.items()]
    errors = {group["domain"]: group["error"] for group in told if math.isfinite(group["error"])}
    best, worst = (choose(errors, key=errors.__getitem__) for choose in (min, max))
    reading = (
        f"Median distance of gain / misfit from what the other pairs predict: {number(errors[best])} ({best}) to "
        f"{number(errors[worst])} ({worst})."
    )
    return plain({"reading": reading, "confidence": settings.confidence, "domains": told})


def _error(points: list[Numbers]) -> float:
    """Median distance of measured from predicted; NaN where nothing is predicted."""
    return float(np.median([abs(point["ratio"].value - point["predicted"]) for point in points]))


def draw(numbers: Numbers) -> Picture:
    """Left: measured against predicted.  Right: measured against the distance, with the wedge of |rho| <= 1."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(drawing.WIDTH, 4.1), sharey=True)
    left.set(xlabel="1 − 2 ρ √(ε / misfit),  ρ of the other pairs", ylabel="gain / misfit")
    left.set(xlim=(LEAST, MOST), ylim=(LOWEST, HIGHEST))
    right.set(xscale="log", xlim=(NEAR, FAR), xlabel="√(ε / misfit)")
    left.axline((0, 0), slope=1, **drawing.EQUAL)
    x = np.geomspace(NEAR, FAR, 300)
    right.fill_between(
        x, np.clip(1 - 2 * x, LOWEST, None), np.clip(1 + 2 * x, None, HIGHEST), color="#f0f0f0", zorder=0
    )
    for rho in (0.0, 0.25, 0.5, 1.0):
        right.plot(x, 1 - 2 * rho * x, color=drawing.FAINT, linewidth=0.8, zorder=0.5)
    beyond = [0, 0]
    for group in numbers["domains"]:
        colour, marker = LOOKS.get(group["domain"], (drawing.INK, "*"))
        for control in group["controls"]:
            _mark(right, max(control["distance"], EDGE), control["ratio"], drawing.FAINT, marker, control["is_minimum"])
        for point in group["points"]:
            look = (colour, marker, point["is_minimum"])
            if point["predicted"] is not None:
                beyond[0] += not _mark(left, point["predicted"], point["ratio"], *look)
            beyond[1] += not _mark(right, max(point["distance"], EDGE), point["ratio"], *look)
    for axes, letter, title in ((left, "a", "measured and predicted"), (right, "b", "by distance from the class")):
        axes.axhline(0, color=drawing.FAINT, linewidth=0.8, zorder=0.4)
        axes.set_title(f"{letter}  {title}", fontweight="bold")
    for axes, count in zip((left, right), beyond, strict=True):
        if count:
            axes.text(0.02, 0.02, f"{count} beyond the frame", transform=axes.transAxes, color=drawing.SOFT)
    figure.legend(handles=_key(numbers), loc="outside upper center", ncols=4, columnspacing=1.2, handletextpad=0.3)
    return figure


def _mark(axes: Axes, x: float, ratio: Numbers, colour: str, marker: str, is_minimum: bool) -> bool:
    """Draw one pair with its interval, faint; whether its value lies in the frame."""
    across = axes.get_xlim()
    if not (LOWEST <= ratio["value"] <= HIGHEST and across[0] <= x <= across[1]):
        return False
    if ratio["low"] is not None:
        axes.plot([x, x], [ratio["low"], ratio["high"]], color=colour, linewidth=0.8, alpha=0.3, zorder=2)
    face: dict[str, Any] = (
        {"markeredgewidth": 0} if is_minimum else {"markerfacecolor": "white", "markeredgewidth": 0.9}
    )
    axes.plot(x, ratio["value"], linestyle="none", color=colour, marker=marker, markersize=4.5, zorder=3, **face)
    return True


def _key(numbers: Numbers) -> list[Line2D]:
    found = []
    for group in numbers["domains"]:
        colour, marker = LOOKS.get(group["domain"], (drawing.INK, "*"))
        found.append(Line2D([], [], linestyle="none", color=colour, marker=marker, markersize=5, label=group["domain"]))
    found.append(Line2D([], [], linestyle="none", color=drawing.FAINT, marker="o", label="control teachers"))
    open_look = {"markerfacecolor": "white", "markeredgecolor": drawing.INK, "label": "ε: the ceiling's error"}
    found.append(Line2D([], [], linestyle="none", marker="o", **open_look))
    return [*found, Line2D([], [], **drawing.EQUAL, label="measured = predicted")]


def words(numbers: Numbers) -> str:
    """Each domain's range, rho and error."""
    told = "; ".join(
        f"{group['domain']}: gain / misfit {span(point['ratio']['value'] for point in group['points'])} over "
        f"{len(group['points'])} pairs, off by {number(group['error'])}"
        for group in numbers["domains"]
    )
    return f"Scatters of gain over misfit. {told}. {numbers['reading']}"


FIGURES = {
    "domains": Figure(
        source="charikar2024",
        cells=("synthetic", "molecules", "kl", "digits"),
        caption=(
            "Every domain in one frame, a point a pair of teacher and student. a: gain / misfit against 1 − 2 ρ √(ε / "
            "misfit), with the median ρ of the other pairs of its kind; with its own ρ the two are equal by algebra. "
            "b: the same against √(ε / misfit); grey: |ρ| ≤ 1, lines at ρ = 0, ¼, ½ and 1. ε: error of the best member "
            "of the class, or where that is not known the ceiling's (open marks). In KL the form holds to second order."
        ),
        shows="gain over misfit in every domain, beside what the distance of the truth from the class predicts",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
