"""The student's risk stays within a bound of its teacher's, and how much of the bound is used (Yao et al. 2025)."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.classification import raised_floors, used
from pipeline.summary.estimates import plain
from pipeline.summary.tables import Tables
from pipeline.summary.words import number
from pipeline.summary.yao_students import last, own_direction, solved

EXPERIMENTS = {"kl": {"color": drawing.SOFT, "marker": "o"}, "digits": {"color": drawing.INK, "marker": "s"}}
DRAWN_TASKS = 20  # of each seed, where every task would blacken the figure


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """How much the student's KL differs from its teacher's against their disagreement, and both bounds."""
    chosen = {"kl": own_direction(solved(tables["kl"])), "digits": last(tables["digits"])}
    groups = [{"experiment": name, **_group(cells)} for name, cells in chosen.items()]
    used = max(group["largest_sharp_tightness"] for group in groups)
    reading = f"The bound holds in every cell; of the least possible one at most {used:.1%} is used."
    return plain({"reading": reading, "confidence": settings.confidence, "groups": groups})


def _group(cells: pd.DataFrame) -> Numbers:
    constant, sharp = (_constant(cells, column) for column in ("bound", "sharp_bound"))
    drawn = cells[cells["task"] < DRAWN_TASKS]
    return {
        "constant": constant,
        "sharp_constant": sharp,
        "disagreement": np.square(drawn["bound"] / constant).to_list(),
        "difference": (drawn["weak_error"] - drawn["student_error"]).abs().to_list(),
        "cells": len(cells),
        "share_within_bound": float(((cells["weak_error"] - cells["student_error"]).abs() <= cells["bound"]).mean()),
        "largest_tightness": used(cells, "bound"),
        "largest_sharp_tightness": used(cells, "sharp_bound"),
        "by_floor": _by_floor(cells, sharp),
    }


def _by_floor(cells: pd.DataFrame, sharp: float) -> dict[str, list[float]]:
    """The most that any cell uses of the least bound, by the floor under predictions; the first is the cells' own."""
    raised = raised_floors(cells)
    own = 2 / (sharp**2 + 2)  # from the least constant, sqrt(2 (1 - gamma) / gamma)
    used_there = [float(cells[column].max()) for column in raised.values()]
    return {"gamma": [own, *raised], "used": [used(cells, "sharp_bound"), *used_there]}


def _constant(cells: pd.DataFrame, column: str) -> float:
    """C of a bound column, from bound = C sqrt(disagreement) and the forward misfit where the row has it."""
    forward = cells[cells["direction"] == "forward"]
    return float((forward[column] / np.sqrt(forward["misfit"])).median())


def draw(numbers: Numbers) -> Picture:
    """Change of risk against disagreement, with both bounds as lines; right, how much is used by the floor gamma."""
    groups = numbers["groups"]
    figure, row = plt.subplots(
        1, len(groups) + 1, figsize=(drawing.WIDTH, 3.0), width_ratios=[*(1.2 for _ in groups), 1]
    )
    for axes, group in zip(row[:-1], groups, strict=True):
        _group_of(axes, group)
    drawing.legend_above(figure, row[0], columns=2)
    _floors(row[-1], groups)
    return figure


def _floors(axes: Axes, groups: list[Numbers]) -> None:
    for group in groups:
        floors, look = group["by_floor"], EXPERIMENTS[group["experiment"]]
        axes.plot(floors["gamma"], floors["used"], label=group["experiment"], markersize=4, linewidth=0.9, **look)
    axes.axhline(1, **drawing.EQUAL)
    axes.set(xscale="log", xlabel="floor γ under predictions", ylabel="most used of the least bound  [share]")
    axes.set(ylim=(0, 1.05), title="by floor")
    axes.legend(loc="center left")


def _group_of(axes: Axes, group: Numbers) -> None:
    x, y = np.array(group["disagreement"]), np.maximum(np.array(group["difference"]), 1e-6)
    axes.plot(x, y, ".", color=drawing.ROLE_COLOURS["student"], markersize=3.5, markeredgewidth=0, alpha=0.6)
    ends = np.array([x.min(), x.max()])
    axes.plot(ends, group["constant"] * np.sqrt(ends), color=drawing.INK, label="√2 / γ · √KL(w, s)")
    label = "least constant · √KL(w, s)"
    axes.plot(ends, group["sharp_constant"] * np.sqrt(ends), color=drawing.HIGHLIGHT, linestyle="--", label=label)
    axes.set(xscale="log", yscale="log", xlabel="KL(w, s)   [nats]", ylabel="|KL(t, w) − KL(t, s)|   [nats]")
    axes.set_title(f"{group['experiment']}: at most {group['largest_sharp_tightness']:.1%} used")
    axes.set_ylim(top=3 * group["constant"] * np.sqrt(x.max()))


def words(numbers: Numbers) -> str:
    """How many cells lie within the bound, and how much of it is used."""
    texts = [
        f"{group['experiment']}: {group['share_within_bound']:.0%} of {group['cells']} cells lie within the bound; "
        f"at most {number(group['largest_tightness'])} of it is used, and {number(group['largest_sharp_tightness'])} "
        f"of the least possible one; with predictions floored at {number(group['by_floor']['gamma'][-1])}, "
        f"{number(group['by_floor']['used'][-1])}."
        for group in numbers["groups"]
    ]
    return f"Change of risk from teacher to student against their disagreement, below the bound. {' '.join(texts)}"


FIGURES = {
    "yao_bounds": Figure(
        source="yao2025",
        cells=("kl", "digits"),
        caption="The student's risk stays within a bound of its teacher's.",
        shows="the student's risk within a bound of its teacher's, and how loose",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
