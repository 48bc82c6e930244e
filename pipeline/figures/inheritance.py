"""What a student takes over from its teacher: misfit is what was not copied."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.controls import LADDER
from pipeline.figures.training_curves import along_training
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import DATASETS, number, written
from pipeline.summary.yao_students import solved

SHARES = {"copied": "errors copied", "corrected": "errors corrected", "kept": "right labels kept"}
SHARE_STYLE = {
    "copied": {"color": "#A6611A", "marker": "s", "linestyle": "-"},
    "corrected": {"color": "#01665E", "marker": "o", "linestyle": "-"},
    "kept": {"color": drawing.INK, "marker": "D", "linestyle": ":"},
}
TEACHERS = {"few_pixels": ("#0072B2", "o"), "small_net": ("#D55E00", "s"), "few_labels": ("#009E73", "^")}
CONTROL_NAMES = {"itself": "own class", "shuffled": "shuffled", "random": "random"}
CURVE = "small_net"
GREY = {"color": drawing.SOFT}
# Where the labels of controls stand beside their points, in points of type.
BESIDE = {"itself": (6, -3), "shuffled": (-4, 7), "random": (6, -3)}
# By experiment: what a row of the right panel is of, and over which units its interval is.
GROUPS = {
    "digits": ("weak", "split"),
    "kl": ("panel", "seed"),
    "synthetic": ("panel", "seed"),
    "molecules": ("dataset", "split"),
}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Along training: shares and misfit by teacher; after it: correlation of errors with and without the teacher."""
    curves = [
        {"weak": weak, **_along(cells.query("noise == 0 and sharpening == 1"), unit, settings)}
        for experiment, unit, weak, cells in along_training(tables)
        if experiment == "digits"
    ]
    apart = controls_of(tables, "digits").query("epoch == epoch.max()")
    controls = [
        {"control": control, **_point(cells, "split", settings)}
        for control, cells in apart.groupby("control")
        if control in CONTROL_NAMES
    ]
    pairs = [
        {
            "setting": f"{name}: {group}",
            "student": _correlation(real, unit, overlap(name, unit), settings),
            "alone": _correlation(alone, unit, overlap(name, unit), settings),
        }
        for name, group, unit, real, alone in _pairs(tables)
    ]
    shown = next(curve for curve in curves if curve["weak"] == CURVE)
    peak = int(np.argmax([value.value for value in shown["corrected"]]))
    before, after = (f"{shown['copied'][place].value:.2f}" for place in (peak, -1))
    reading = (
        f"Between epoch {shown['epochs'][peak]} and {shown['epochs'][-1]} the share of its teacher's errors that the "
        f"student repeats goes from {before} to {after} ({drawing.spoken(CURVE)})."
    )
    return plain(
        {
            "reading": reading,
            "confidence": settings.confidence,
            "curves": curves,
            "controls": controls,
            "correlations": pairs,
        }
    )


def _along(cells: pd.DataFrame, unit: str, settings: Intervals) -> Numbers:
    """Shares and misfit after each epoch, by cross-entropy at the lowest rate."""
    chosen = cells[(cells["loss"] == "cross_entropy") & (cells["lr"] == cells["lr"].min())]
    epochs = sorted(chosen["epoch"].unique())
    each = [_point(chosen[chosen["epoch"] == epoch], unit, settings) for epoch in epochs]
    return {"epochs": epochs, **{name: [point[name] for point in each] for name in (*SHARES, "misfit")}}


def _point(cells: pd.DataFrame, unit: str, settings: Intervals) -> Numbers:
    means, shared = cells.groupby(unit)[[*SHARES, "misfit"]].mean(), overlap("digits", unit)
    names = {**{name: f"share_{name}" for name in SHARES}, "misfit": "misfit"}
    return {name: over_units(kind, list(means[name]), settings.confidence, shared) for name, kind in names.items()}


def _correlation(cells: pd.DataFrame, unit: str, shared: float, settings: Intervals) -> Any:
    means = cells.groupby(unit)["error_correlation"].mean().dropna()
    return over_units("correlation", list(means), settings.confidence, shared)


def _pairs(tables: Tables) -> Iterator[tuple[str, str, str, pd.DataFrame, pd.DataFrame]]:
    """Experiment, group, unit, cells of students, and of the strong model on the teacher's true labels instead."""
    last = tables["digits"].query("noise == 0 and sharpening == 1 and loss == 'cross_entropy'")
    last = last[(last["epoch"] == last["epoch"].max()) & (last["lr"] == last["lr"].min())]
    students = {
        "digits": last,
        "kl": solved(tables["kl"]).query("loss == 'cross_entropy' and direction == 'forward'"),
        "synthetic": tables["synthetic"].query("head == 'exact' and inputs == 'fresh'"),
        "molecules": tables["molecules"].query(LADDER),
    }
    for name, real in students.items():
        column, unit = GROUPS[name]
        alone = controls_of(tables, name).query("control == 'teachers_labels'")
        for group in real[column].unique():
            own = [table[table[column] == group] for table in (real, alone)]
            if not own[1].empty:
                yield name, DATASETS.get(group, drawing.spoken(group)), unit, *own


def draw(numbers: Numbers) -> Picture:
    """Left, above: misfit against what was not copied; below: shares along training.  Right: correlations of errors."""
    figure = plt.figure(figsize=(drawing.WIDTH, 5.6))
    grid = figure.add_gridspec(2, 2, width_ratios=[1.05, 1])
    _not_copied(figure.add_subplot(grid[0, 0]), numbers)
    _shares(figure.add_subplot(grid[1, 0]), next(curve for curve in numbers["curves"] if curve["weak"] == CURVE))
    _correlations(figure.add_subplot(grid[:, 1]), numbers["correlations"])
    return figure


def _not_copied(axes: Axes, numbers: Numbers) -> None:
    for curve in numbers["curves"]:
        colour, marker = TEACHERS.get(curve["weak"], (drawing.SOFT, "o"))
        x, y = [1 - value["value"] for value in curve["copied"]], [value["value"] for value in curve["misfit"]]
        sizes = np.linspace(12, 40, len(x))  # later epochs are larger
        axes.plot(x, y, color=colour, linewidth=0.9, zorder=2)
        axes.scatter(
            x, y, s=sizes, color=colour, marker=marker, linewidths=0, zorder=3, label=drawing.spoken(curve["weak"])
        )
    for point in numbers["controls"]:
        x, y = 1 - point["copied"]["value"], point["misfit"]["value"]
        axes.plot(x, y, "o", color=drawing.SOFT, markersize=4, zorder=2)
        axes.annotate(
            CONTROL_NAMES[point["control"]], (x, y), BESIDE[point["control"]], textcoords="offset points", **GREY
        )
    axes.set(xlabel="teacher's errors that are not copied  [share]", ylabel="misfit  [nats]", ylim=(0, None))
    axes.set_title("digits, along training", fontweight="bold")
    axes.legend(title="teacher", loc="upper left")


def _shares(axes: Axes, curve: Numbers) -> None:
    for name, label in SHARES.items():
        drawing.band(axes, curve["epochs"], curve[name], label=label, **SHARE_STYLE[name])
    axes.set(xscale="log", xlabel="epoch", ylabel="share of test images", ylim=(0, 1.02))
    axes.set_title(f"digits, {drawing.spoken(CURVE)}", fontweight="bold")
    axes.legend(loc="lower right", labelspacing=0.2)


def _correlations(axes: Axes, rows: list[Numbers]) -> None:
    for place, row in enumerate(rows):
        drawing.horizontal_interval(axes, place - 0.12, row["student"], **drawing.role_style("student"))
        drawing.horizontal_interval(axes, place + 0.12, row["alone"], color=drawing.SOFT, marker="o")
    axes.plot([], [], linestyle="none", label="student of the teacher", **drawing.role_style("student"))
    axes.plot([], [], "o", color=drawing.SOFT, label="strong model without it")
    axes.set_yticks(range(len(rows)), [row["setting"] for row in rows])
    axes.set(ylim=(len(rows) + 0.9, -0.6), xlim=(-0.08, 1.03), xlabel="correlation of errors with the teacher's")
    axes.axvline(0, color=drawing.INK, linewidth=0.8, zorder=1)
    axes.set_title("whose errors", fontweight="bold")
    axes.legend(loc="lower left", handletextpad=0.2)


def words(numbers: Numbers) -> str:
    """Shares of each teacher's student after the first and last epochs, and the correlations."""
    along = "; ".join(
        f"{drawing.spoken(curve['weak'])}: copied {number(curve['copied'][0]['value'])} to "
        f"{number(curve['copied'][-1]['value'])}, corrected {number(curve['corrected'][0]['value'])} to "
        f"{number(curve['corrected'][-1]['value'])}, misfit {number(curve['misfit'][0]['value'])} to "
        f"{number(curve['misfit'][-1]['value'])}"
        for curve in numbers["curves"]
    )
    pairs = "; ".join(
        f"{row['setting']} {written(row['student'])}, without the teacher {written(row['alone'])}"
        for row in numbers["correlations"]
    )
    return f"Along training, first to last epoch, {along}. Correlation of errors with the teacher's: {pairs}."


FIGURES = {
    "inheritance": Figure(
        "yao2025",
        ("digits", "kl", "synthetic", "molecules"),
        "Inheritance: misfit falls as the student copies its teacher's errors. Right: how far its errors are the "
        "teacher's, against the strong model that learned the teacher's true labels itself.",
        "which of the teacher's errors a student copies, and how misfit follows",
        numbers,
        draw,
        words,
    )
}
