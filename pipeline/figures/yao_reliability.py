"""Reliability diagrams of teacher, student and ceiling (Yao et al. 2025)."""

from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.tables import Tables
from pipeline.summary.words import number
from pipeline.summary.yao_students import ROLES


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Accuracy by confidence of teacher, student and ceiling; bins pooled over seeds or splits, intervals over them."""
    panels = []
    for experiment, unit in (("kl", "seed"), ("digits", "split")):
        diagrams = tables[f"{experiment}/reliability"]
        for weak in dict.fromkeys(diagrams["weak"]):
            chosen = diagrams[diagrams["weak"] == weak]
            roles = {role: _diagram(experiment, unit, chosen[chosen["role"] == role], settings) for role in ROLES}
            name = "network" if experiment == "kl" else weak
            panels.append({"experiment": experiment, "weak": name, "roles": roles})
    gaps = {panel["weak"]: {role: _ece(panel["roles"][role]) for role in ROLES} for panel in panels}
    less = sum(gap["student"] < gap["weak"] for gap in gaps.values())
    reading = f"Pooled, the student is closer to the diagonal than its teacher in {less} of {len(gaps)} settings."
    return plain({"reading": reading, "confidence": settings.confidence, "panels": panels, "pooled_ece": gaps})


def _diagram(experiment: str, unit: str, rows: pd.DataFrame, settings: Intervals) -> list[Numbers]:
    """Pooled bins; the interval of a bin's accuracy is over the units that have points in it, if those are most."""
    units, total, found = rows[unit].nunique(), rows["count"].sum(), []
    for place, bin_rows in rows.groupby("bin"):
        weights = bin_rows["count"] / bin_rows["count"].sum()
        pooled = {name: float((weights * bin_rows[name]).sum()) for name in ("confidence", "frequency")}
        spread = over_units("accuracy", bin_rows["frequency"].to_list(), settings.confidence, overlap(experiment, unit))
        ends = {"low": spread.low, "high": spread.high} if 2 * len(bin_rows) > units else {"low": None, "high": None}
        found.append({"bin": int(place), "share": float(bin_rows["count"].sum() / total), **pooled, **ends})
    return found


def _ece(bins: list[Numbers]) -> float:
    return sum(item["share"] * abs(item["confidence"] - item["frequency"]) for item in bins)


def draw(numbers: Numbers) -> Picture:
    """Top: accuracy by confidence, the diagonal is perfect.  Bottom: how many points have which confidence."""
    panels = numbers["panels"]
    shared: dict[str, Any] = {"sharex": True, "sharey": "row", "height_ratios": (2.2, 1), "squeeze": False}
    figure, grid = plt.subplots(2, len(panels), figsize=(drawing.WIDTH, 3.5), **shared)
    for (top, bottom), panel in zip(grid.T, panels, strict=True):
        _panel(top, bottom, panel)
    grid[0, 0].set_ylabel("accuracy")
    grid[1, 0].set_ylabel("share of points")
    drawing.legend_above(figure, grid[0, 0], columns=3)
    return figure


def _panel(top: Axes, bottom: Axes, panel: Numbers) -> None:
    top.plot([0, 1], [0, 1], **drawing.EQUAL)
    for role, items in panel["roles"].items():
        bins = pd.DataFrame(items, dtype=float)
        look: dict[str, Any] = {"linewidth": 0.9, "markersize": 3.5, "markeredgewidth": 0, **drawing.role_style(role)}
        top.plot("confidence", "frequency", data=bins, label=role, clip_on=False, **look)
        bottom.plot("confidence", "share", data=bins, **look)
        shade: dict[str, Any] = {"color": look["color"], "alpha": 0.15, "linewidth": 0}
        top.fill_between("confidence", "low", "high", data=bins.dropna(), **shade)
    top.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", title=f"{panel['experiment']}: {drawing.spoken(panel['weak'])}")
    bottom.set(xlabel="confidence (top class)", yscale="log")


def words(numbers: Numbers) -> str:
    """Pooled calibration error of the three roles by setting."""
    texts = [
        f"{name.replace('_', ' ')}: {', '.join(f'{role} {number(value)}' for role, value in roles.items())}"
        for name, roles in numbers["pooled_ece"].items()
    ]
    return f"Frequency of the right class against confidence. Pooled calibration error, {'; '.join(texts)}."


FIGURES = {
    "yao_reliability": Figure(
        source="yao2025",
        cells=("kl", "digits"),
        caption="Reliability: accuracy by confidence of teacher, student and ceiling.",
        shows="accuracy by confidence of teacher, student and ceiling",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
