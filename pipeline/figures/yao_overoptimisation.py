"""Training on weak labels for long: what is gained first and lost later (Yao et al. 2025)."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.training_curves import LOSSES, NAMES, along_training, by_teacher, curves, early_stop
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.tables import Tables
from pipeline.summary.words import number

COLUMNS = (
    *("student_accuracy", "student_ece", "student_ece_scaled", "student_overconfidence", "student_error"),
    *("weak_objective", "weak_validation"),
)
ROWS = {
    "student_accuracy": "accuracy",
    "student_ece": "ECE",
    "student_overconfidence": "confidence − accuracy",
    "student_ece_scaled": "ECE, rescaled",
    "weak_validation": "weak validation loss  [nats]",
}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Accuracy, ECE and the weak losses along training on clean weak labels, and where weak validation would stop."""
    groups = []
    for experiment, unit, weak, cells in along_training(tables):
        clean = cells.query("noise == 0 and sharpening == 1")
        for loss in LOSSES:
            for rate in sorted(clean["lr"].unique(), reverse=True):
                chosen = clean[(clean["loss"] == loss) & (clean["lr"] == rate)]
                kind = {"experiment": experiment, "weak": weak, "loss": loss, "lr": rate}
                groups.append(kind | _curve(experiment, unit, chosen, settings))
    worst = max(groups, key=lambda group: group["lost_by_early_stop"].value)
    cost = f"{worst['lost_by_early_stop'].value:.3f}"
    reading = f"Stopping on weak validation costs up to {cost} of accuracy against the best epoch ({worst['weak']})."
    return plain({"reading": reading, "confidence": settings.confidence, "groups": groups})


def _curve(experiment: str, unit: str, cells: pd.DataFrame, settings: Intervals) -> Numbers:
    each, shared = curves(unit, cells), overlap(experiment, unit)
    along = {
        name: [
            over_units(name, values, settings.confidence, shared)
            for values in np.stack([c[name] for c in each], axis=1)
        ]
        for name in COLUMNS
    }
    stops = [early_stop(curve) for curve in each]
    lost = [c["student_accuracy"].max() - c["student_accuracy"][stop] for c, stop in zip(each, stops, strict=True)]
    return {
        "epochs": each[0].index.to_list(),
        **along,
        "weak_accuracy": over_units(
            "accuracy", [c["weak_accuracy"].iloc[0] for c in each], settings.confidence, shared
        ),
        "early_stops": stops,
        "lost_by_early_stop": over_units("difference", lost, settings.confidence, shared),
    }


def draw(numbers: Numbers) -> Picture:
    """A column a teacher; accuracy, calibration before and after temperature scaling, weak validation, by epoch."""
    columns = by_teacher(numbers)
    fastest = max(group["lr"] for group in numbers["groups"])
    figure, grid = plt.subplots(len(ROWS), len(columns), figsize=(drawing.WIDTH, 8.8), sharex="col", squeeze=False)
    for column, ((experiment, weak), groups) in zip(grid.T, columns.items(), strict=True):
        for group in groups:
            _along(column, group, "-" if group["lr"] == fastest else ":")
        for group in groups:
            _stop(column[0], group)
        level = groups[0]["weak_accuracy"]["value"]
        column[0].axhline(level, color=drawing.ROLE_COLOURS["weak"], linewidth=0.9, linestyle="--", label="teacher")
        column[0].set_title(f"{experiment}: {drawing.spoken(weak)}")
        column[-1].set_xlabel("epoch")
    for axes, label in zip(grid[:, 0], ROWS.values(), strict=True):
        axes.set_ylabel(label)
    drawing.legend_above(figure, grid[0, 0], columns=3)
    return figure


def _along(column: Iterable[Axes], group: Numbers, line: str) -> None:
    """Curves of one loss and rate down a column."""
    label = f"{NAMES[group['loss']]}, rate {group['lr']:g}"
    for axes, quantity in zip(column, ROWS, strict=True):
        look = {"label": label, "linestyle": line, **drawing.loss_style(group["loss"])}
        drawing.band(axes, group["epochs"], group[quantity], **look)
        axes.set(xscale="log")


def _stop(axes: Axes, group: Numbers) -> None:
    """A star at the epoch nearest to where weak validation would stop."""
    stop = float(np.median(group["early_stops"]))
    place = min(range(len(group["epochs"])), key=lambda place: abs(group["epochs"][place] - stop))
    accuracy = group["student_accuracy"][place]["value"]
    look = {"color": drawing.HIGHLIGHT, "markersize": 8, "markeredgewidth": 0, "zorder": 4}
    axes.plot(group["epochs"][place], accuracy, "*", label="stop on weak validation", **look)


def words(numbers: Numbers) -> str:
    """Accuracy at the first, the best and the last epoch of each teacher's first student."""
    firsts = {group["weak"]: group for group in reversed(numbers["groups"])}
    texts = []
    for weak, group in sorted(firsts.items()):
        values = [estimate["value"] for estimate in group["student_accuracy"]]
        best = max(range(len(values)), key=values.__getitem__)
        texts.append(
            f"{weak.replace('_', ' ')} ({group['loss'].replace('_', ' ')}, rate {group['lr']:g}): "
            + ", ".join(f"{number(values[place])} at epoch {group['epochs'][place]:g}" for place in (0, best, -1))
        )
    return f"Student's accuracy and calibration against epochs on weak labels. {'; '.join(texts)}. {numbers['reading']}"


FIGURES = {
    "yao_overoptimisation": Figure(
        source="yao2025",
        cells=("kl", "digits"),
        caption="Training on weak labels for long: what is gained first and lost later.",
        shows="training on weak labels for too long",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
