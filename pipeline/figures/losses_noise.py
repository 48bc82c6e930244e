"""Losses compared with cross-entropy, with and without label noise (the siblings of Yao et al. 2025)."""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.language_models import STUDY, along, at_focus, by_dataset, naive, stated
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.tables import Tables
from pipeline.summary.words import number, span
from pipeline.theory.intervals import Estimate


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Accuracy of each loss less that of cross-entropy, means over teachers; and accuracy by label noise."""
    cells = tables[STUDY]
    main = at_focus(cells, cells[(cells["panel"] == "main") & (cells["head"] == "frozen")])
    compared = [
        {"dataset": dataset, "loss": loss, "labels": kind, "difference": _against_plain(main, own, settings)}
        for (dataset, loss, kind), own in main.groupby(["dataset", "loss", "labels"])
        if (loss, kind) != ("cross_entropy", "soft")
    ]
    noisy = cells[cells["panel"] == "noise"]
    curves = [
        {"dataset": dataset, "weak": weak, "loss": loss, **along(own, "noise", ("student_accuracy",), settings)}
        for (dataset, weak, loss), own in noisy.groupby(["dataset", "weak", "loss"])
    ]
    clear = [row for row in compared if row["difference"].low > 0 or row["difference"].high < 0]
    reading = f"{len(clear)} of {len(compared)} losses differ from soft cross-entropy beyond the interval over seeds."
    return plain({**stated(cells, settings), "reading": reading, "compared": compared, "noise": curves})


def _against_plain(main: pd.DataFrame, own: pd.DataFrame, settings: Intervals) -> Estimate:
    plain_ce = naive(main[main["dataset"] == own["dataset"].iloc[0]])
    keys = ["seed", "weak"]
    paired = own.set_index(keys)["student_accuracy"] - plain_ce.set_index(keys)["student_accuracy"]
    means = paired.groupby("seed").mean().to_list()
    return over_units("difference", means, settings.confidence, overlap(STUDY, "seed"))


def draw(numbers: Numbers) -> Picture:
    """A row a data set.  Left: each loss less cross-entropy.  Right: accuracy by label noise, a column a teacher."""
    sets = by_dataset(numbers["compared"])
    teachers = list(dict.fromkeys(curve["weak"] for curve in numbers["noise"]))
    size, widths = (drawing.WIDTH, 0.5 + 3.0 * len(sets)), [1.3, *[1] * len(teachers)]
    figure, grid = plt.subplots(len(sets), 1 + len(teachers), figsize=size, width_ratios=widths, squeeze=False)
    for (left, *right), (dataset, compared) in zip(grid, sets.items(), strict=True):
        _differences(left, compared)
        left.set_title(dataset, fontweight="bold")
        for axes, teacher in zip(right, teachers, strict=True):
            own = [one for one in numbers["noise"] if (one["dataset"], one["weak"]) == (dataset, teacher)]
            _noise(axes, own)
            axes.set_title(f"taught by {teacher}")
        right[0].set_ylabel("test accuracy")
    grid[-1, 0].set_xlabel("accuracy less that\nof cross-entropy")
    for axes in grid[-1, 1:]:
        axes.set_xlabel("label noise")
    drawing.legend_above(figure, grid[0, 1], columns=3)
    return figure


def _differences(axes: Axes, compared: list[Numbers]) -> None:
    """One row a loss, the worst at the bottom."""
    ordered = sorted(compared, key=lambda one: one["difference"]["value"])
    for place, one in enumerate(ordered):
        drawing.horizontal_interval(axes, place, one["difference"], **drawing.loss_style(one["loss"]))
    hard = {"hard": ", hard labels"}
    names = [drawing.spoken(one["loss"]) + hard.get(one["labels"], "") for one in ordered]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.axvline(0, color=drawing.SOFT, linewidth=0.7)
    axes.locator_params(axis="x", nbins=3)


def _noise(axes: Axes, curves: list[Numbers]) -> None:
    for curve in curves:
        look = {"label": drawing.spoken(curve["loss"]), **drawing.loss_style(curve["loss"])}
        drawing.band(axes, curve["noises"], curve["student_accuracy"], alpha=0.08, **look)


def words(numbers: Numbers) -> str:
    """By data set: the losses furthest above and below cross-entropy; accuracy without noise and at the most noise."""
    texts = []
    for dataset, compared in by_dataset(numbers["compared"]).items():
        ordered = sorted(compared, key=lambda row: row["difference"]["value"])
        ends = " to ".join(
            f"{row['loss'].replace('_', ' ')} ({row['labels']} labels) {number(row['difference']['value'])}"
            for row in (ordered[0], ordered[-1])
        )
        texts.append(f"{dataset}, {len(compared)} losses, accuracy less that of cross-entropy: from {ends}.")
    for dataset, curves in by_dataset(numbers["noise"]).items():
        first, last = (span(curve["student_accuracy"][place]["value"] for curve in curves) for place in (0, -1))
        texts.append(f"{dataset}, {len(curves)} curves: accuracy {first} without noise, {last} with the most.")
    return f"{' '.join(texts)} {numbers['reading']}"


FIGURES = {
    "losses_noise": Figure(
        source="yao2025reverse",
        cells=(STUDY,),
        caption="Losses compared with cross-entropy, and accuracy when a share of the weak labels is turned round.",
        shows="sixteen losses, with and without label noise",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
