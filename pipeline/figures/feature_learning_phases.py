"""When a ReLU student of a linear teacher is benign and when harmful (Oh, Song and Yun 2025, data-scarce regime)."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary import feature_learning as statistics
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import interval, number
from pipeline.theory.intervals import Estimate

STUDY = "published/feature_learning"
BRIDGE = "B = n p$_b$²‖ν‖⁴ / (σ$_p$⁴d)"
# Powers in B beside that of n: what the theorem says of each.
POWERS = {
    "signal": ("‖ν‖", 4, statistics.signal_exponent),
    "dimension": ("d", -1, statistics.dimension_exponent),
    "bridge": ("p$_b$", 2, statistics.bridge_exponent),
}
MARKERS = ("o", "s", "^", "D", "v")


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Points of the map, the falling fit to B with both crossings, the controls, and the fitted powers."""
    cells = pd.concat([tables[STUDY], controls_of(tables, STUDY)])
    own = cells[(cells["panel"] == "scarce") & (cells["moment"] == "final")]
    relu = own[own["control"].isna()]
    levels, fitted = statistics.falling(relu["bridge_ratio"], relu["student_error"])
    _, gold = statistics.falling(relu["bridge_ratio"], relu["ceiling_error"])
    linear = own[own["control"] == "linear"]
    _, straight = statistics.falling(linear["bridge_ratio"], linear["student_error"])
    at_teacher, at_benign = (
        _over_seeds(relu, name, statistic, settings)
        for name, statistic in (
            ("log_bridge_at_teacher", statistics.log_bridge_at_teacher),
            ("log_bridge_at_benign", statistics.log_bridge_at_benign),
        )
    )
    found = {
        "reading": (
            f"Students equal their teachers at B = {_power(at_teacher)} and pass 0.12 p_h at B = {_power(at_benign)}."
        ),
        "confidence": settings.confidence,
        "points": _points(relu),
        "bridge": 10**levels,
        "fitted": fitted,
        "gold": gold,
        "linear": straight,
        "weak_error": float(relu["weak_error"].mean()),
        "benign_error": statistics.HARMFUL * float(relu["hard"].mean()),
        "log_bridge_at_teacher": at_teacher,
        "log_bridge_at_benign": at_benign,
        "powers": {name: _over_seeds(relu, name, statistic, settings) for name, (_, _, statistic) in POWERS.items()},
        "powers_predicted": {name: power for name, (_, power, _) in POWERS.items()},
        "explained": {
            name: _over_seeds(relu, name, statistic, settings)
            for name, statistic in (
                ("B", statistics.explained_by_bridge),
                ("n|nu|^4/d", statistics.explained_without_bridge),
                ("A", statistics.explained_by_signal),
            )
        },
    }
    return plain(found)


def _points(cells: pd.DataFrame) -> list[Numbers]:
    columns = ["student_error", "student_hard_error", "bridge_ratio", "signal_ratio"]
    means = cells.groupby(list(statistics.SIZES), as_index=False)[columns].mean()
    return [dict(zip(means.columns, row, strict=True)) for row in means.itertuples(index=False, name=None)]


def _over_seeds(cells: pd.DataFrame, name: str, statistic: Any, settings: Intervals) -> Estimate:
    return over_units(name, [statistic(own) for _, own in cells.groupby("seed")], settings.confidence)


def _power(estimate: Estimate) -> str:
    return interval({end: 10 ** getattr(estimate, end) for end in ("value", "low", "high")})


def draw(numbers: Numbers) -> Picture:
    """a: test error against B.  b: hard-only error against B.  c: the map at one share of bridges.  d: powers."""
    figure, grid = plt.subplots(2, 2, figsize=(drawing.WIDTH, 5.6))
    (first, second), (third, fourth) = grid
    points = pd.DataFrame(numbers["points"])
    _against_bridge(first, points, "student_error")
    first.plot(numbers["bridge"], numbers["fitted"], color=drawing.ROLE_COLOURS["student"], label="falling fit")
    for control, stroke in (("gold", "--"), ("linear", ":")):
        label = {"gold": "control: gold labels", "linear": "control: linear student"}[control]
        first.plot(numbers["bridge"], numbers[control], color=drawing.SOFT, linestyle=stroke, label=label)
    level(first, numbers["weak_error"], "teacher")
    level(first, numbers["benign_error"], "0.12 p$_h$")
    for name in ("log_bridge_at_teacher", "log_bridge_at_benign"):
        ends = [10 ** numbers[name][end] for end in ("low", "high")]
        first.axvspan(*ends, color=drawing.HIGHLIGHT, alpha=0.35, linewidth=0, zorder=0)
    first.set(ylabel="test error", ylim=(0, 0.5), title="a  test error and B")
    first.legend(loc="upper right", labelspacing=0.25, bbox_to_anchor=(1.02, 1.02))
    _against_bridge(second, points, "student_hard_error")
    level(second, 0.5, "chance, any linear network")
    second.set(ylabel="error on hard-only examples", ylim=(0, 0.54), title="b  what depends on ν alone")
    second.legend(title="dimension d", loc="lower left", labelspacing=0.25)
    _map(figure, third, points, numbers)
    _powers(fourth, numbers)
    for axes in grid.flat:
        axes.set_title(axes.get_title(loc="left"), fontweight="bold")
    return figure


def _against_bridge(axes: Axes, points: pd.DataFrame, column: str) -> None:
    """Means over seeds of each point of the map, a marker a dimension."""
    shades = plt.get_cmap("viridis_r")(np.linspace(0.15, 0.9, points["dimension"].nunique()))
    for (dimension, own), marker, shade in zip(points.groupby("dimension"), MARKERS, shades, strict=False):
        label = f"10$^{{{np.log10(dimension):.0f}}}$" if column == "student_hard_error" else "_"
        look = {"marker": marker, "s": 9, "linewidth": 0, "alpha": 0.8, "label": label}
        axes.scatter(own["bridge_ratio"], own[column], color=shade, **look)
    axes.set(xscale="log", xlabel=BRIDGE)


def level(axes: Axes, height: float, text: str) -> None:
    """A named height across a panel."""
    axes.axhline(height, color=drawing.INK, linewidth=0.8, linestyle=(0, (5, 2)), zorder=1)
    axes.annotate(text, (0.01, height), (0, 2), ("axes fraction", "data"), textcoords="offset points", fontsize=8)


def _map(figure: Picture, axes: Axes, points: pd.DataFrame, numbers: Numbers) -> None:
    """Test error over n and strength at the largest share of bridges and dimension; lines of constant B."""
    own = points[(points["both"] == points["both"].max()) & (points["dimension"] == points["dimension"].max())]
    table = own.pivot(index="strength", columns="n_train", values="student_error")
    look = {"cmap": "cividis_r", "norm": LogNorm(0.005, 0.5), "edgecolors": "white", "linewidth": 0.5}
    mesh = axes.pcolormesh(_edges(table.columns), _edges(table.index), table.to_numpy(), **look)
    figure.colorbar(mesh, ax=axes, label="test error", pad=0.02)
    samples = np.array([table.columns.min() / 2, table.columns.max() * 2])
    for name, stroke in (("log_bridge_at_teacher", "-"), ("log_bridge_at_benign", "--")):
        strength = 10 ** numbers[name]["value"] / (samples * own["both"].max() ** 2)
        label = {"log_bridge_at_teacher": "= teacher", "log_bridge_at_benign": "= 0.12 p$_h$"}[name]
        axes.plot(samples, strength, color=drawing.HIGHLIGHT, linestyle=stroke, linewidth=1.6, label=label)
    axes.set(xscale="log", yscale="log", xlabel="examples n", ylabel="‖ν‖⁴ / (σ$_p$⁴d)")
    axes.set(xlim=_edges(table.columns)[[0, -1]], ylim=_edges(table.index)[[0, -1]])
    axes.set_xticks(table.columns, [f"{count}" for count in table.columns])
    axes.set_yticks(table.index, [f"{strength:g}" for strength in table.index])
    axes.minorticks_off()
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=2, title="B where test error", alignment="left")
    axes.set_title(f"c  map at p$_b$ = {own['both'].max():g}, d = 10$^{{{np.log10(own['dimension'].max()):.0f}}}$")


def _edges(values: Iterable[float]) -> np.ndarray:
    """Ends of cells around values that are evenly spaced on a log scale."""
    logs = np.log(np.asarray(list(values), float))
    half = np.diff(logs).mean() / 2
    return np.exp(np.append(logs - half, logs[-1] + half))


def _powers(axes: Axes, numbers: Numbers) -> None:
    """Fitted powers of hard-only error beside that of n, with their intervals over seeds; B predicts the crosses."""
    for place, (name, (symbol, power, _)) in enumerate(reversed(POWERS.items())):
        axes.plot(power, place, marker="x", color=drawing.HIGHLIGHT, markersize=9, markeredgewidth=1.6)
        drawing.horizontal_interval(axes, place, numbers["powers"][name], **drawing.role_style("student"))
        axes.annotate(f"{symbol}: {interval(numbers['powers'][name])}", (0.02, place + 0.2), (0, 0),
                      ("axes fraction", "data"), textcoords="offset points")  # fmt: skip
    axes.axvline(0, color=drawing.SOFT, linewidth=0.7)
    axes.set_yticks(range(len(POWERS)), [symbol for symbol, _, _ in reversed(POWERS.values())])
    axes.set(xlabel="power beside that of n (cross: in B)", ylim=(-0.5, 2.6), title="d  which ratio collapses it")


def words(numbers: Numbers) -> str:
    """The fit at both ends, both crossings, powers and shares explained."""
    powers = ", ".join(
        f"{name} {interval(numbers['powers'][name])} ({power})" for name, (_, power, _) in POWERS.items()
    )
    shares = ", ".join(f"{name} {interval(estimate)}" for name, estimate in numbers["explained"].items())
    return (
        f"Test error falls with B from {number(numbers['fitted'][0])} at B = {number(numbers['bridge'][0])} to "
        f"{number(numbers['fitted'][-1])} at {number(numbers['bridge'][-1])}. {numbers['reading']} Powers beside that "
        f"of n, in B in brackets: {powers}. Share of the variance of hard-only error explained: {shares}."
    )


FIGURES = {
    "feature_learning_phases": Figure(
        source="oh2025",
        cells=(STUDY,),
        caption="Data-scarce: test error of ReLU students on pseudo-labels of linear teachers, against B.",
        shows="benign or harmful: one ratio decides",
        numbers=numbers,
        draw=draw,
        words=words,
    ),
}
