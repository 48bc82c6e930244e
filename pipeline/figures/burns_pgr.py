"""Performance gap recovered (PGR) by each pair of teacher and student (Burns et al. 2023).

PGR is a ratio of means over seeds, and undefined where the interval of the gap (ceiling - weak) reaches zero.
"""

from statistics import median

import pandas as pd
import seaborn
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.language_models import STUDY, by_dataset, naive, stated
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_units, plain, ratio_over_units
from pipeline.summary.tables import Tables
from pipeline.summary.words import number, span


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """PGR of every teacher and strong rung with plain cross-entropy, and the share of pairs where it is undefined."""
    cells = naive(tables[STUDY])
    pairs = [
        {"dataset": dataset, "weak": weak, "strong": strong, **_recovery(own, settings)}
        for (dataset, weak, strong), own in cells.groupby(["dataset", "weak", "strong"])
    ]
    undefined = sum(pair["pgr"] is None for pair in pairs)
    reading = f"PGR is undefined in {undefined} of {len(pairs)} pairs: the ceiling is not surely above the teacher."
    order = {"weak": _ordered(cells, "weak", "weak_accuracy"), "strong": _ordered(cells, "strong", "ceiling_accuracy")}
    return plain({**stated(cells, settings), "reading": reading, "order": order, "pairs": pairs})


def _recovery(cells: pd.DataFrame, settings: Intervals) -> Numbers:
    """PGR over seeds with the gap it rests on; None where undefined, or over a single seed."""
    by_seed = cells.groupby("seed")[["weak_accuracy", "student_accuracy", "ceiling_accuracy"]].mean()
    gained = by_seed["student_accuracy"] - by_seed["weak_accuracy"]
    gap = by_seed["ceiling_accuracy"] - by_seed["weak_accuracy"]
    shared = overlap(STUDY, "seed")
    over = over_units("gap", gap.to_list(), settings.confidence, shared)
    if not over.low > 0:
        return {"gap": over, "pgr": None}
    return {"gap": over, "pgr": ratio_over_units(gained.to_list(), gap.to_list(), settings.confidence, shared)}


def _ordered(cells: pd.DataFrame, column: str, measure: str) -> list[str]:
    return cells.groupby(column)[measure].mean().sort_values().index.to_list()


def draw(numbers: Numbers) -> Picture:
    """A table a data set: teachers down, students across, both ordered by accuracy."""
    sets, order = by_dataset(numbers["pairs"]), numbers["order"]
    size = (drawing.WIDTH, 0.6 + len(sets) * (0.4 + 0.3 * len(order["weak"])))
    figure, column = plt.subplots(len(sets), 1, figsize=size, sharex=True, squeeze=False)
    for axes, (dataset, pairs) in zip(column.flat, sets.items(), strict=True):
        _table(axes, pairs, order)
        axes.set_title(dataset, fontweight="bold")
    column.flat[-1].set_xlabel("student's representation")
    drawn = column.flat[0].collections[0]
    figure.colorbar(drawn, ax=column.ravel().tolist(), label="performance gap recovered", shrink=0.5, pad=0.02)
    return figure


def _table(axes: Axes, pairs: list[Numbers], order: dict[str, list[str]]) -> None:
    """PGR of every pair in colour and in figures with its interval; a dash where it is undefined."""
    defined = [{**pair, **pair["pgr"], "text": _cell(pair["pgr"])} for pair in pairs if pair["pgr"] is not None]
    rows = pd.DataFrame(defined, columns=["weak", "strong", "value", "text"])
    tables = (rows.pivot(index="weak", columns="strong", values=name) for name in ("value", "text"))
    values, cells = (table.reindex(index=order["weak"], columns=order["strong"]) for table in tables)
    look = {"cmap": "PuOr", "vmin": -1, "vmax": 1, "linewidths": 0.5, "cbar": False}
    look |= {"annot": cells, "fmt": "", "annot_kws": {"fontsize": 8, "linespacing": 1}}
    seaborn.heatmap(values.astype(float), ax=axes, **look)
    for pair in (pair for pair in pairs if pair["pgr"] is None):
        place = order["strong"].index(pair["strong"]) + 0.5, order["weak"].index(pair["weak"]) + 0.5
        axes.text(*place, "–", ha="center", va="center")
    axes.set(xlabel="", ylabel="teacher")
    axes.tick_params(length=0, rotation=0)


def _cell(pgr: Numbers) -> str:
    return f"{pgr['value']:z.2f}" + ("" if pgr["low"] is None else f"\n[{pgr['low']:z.1f}, {pgr['high']:z.1f}]")


def words(numbers: Numbers) -> str:
    """By data set: how many pairs have a gap to recover, and the range and median of the share recovered."""
    texts = []
    for dataset, pairs in by_dataset(numbers["pairs"]).items():
        shares = [pair["pgr"]["value"] for pair in pairs if pair["pgr"] is not None]
        drawn = f"share recovered {span(shares)}, median {number(median(shares))}" if shares else "none is defined"
        texts.append(f"{dataset}, {len(shares)} of {len(pairs)} pairs: {drawn}.")
    return f"Table of weak against strong models. {' '.join(texts)} {numbers['reading']}"


FIGURES = {
    "burns_pgr": Figure(
        source="burns2023",
        cells=(STUDY,),
        caption="Performance gap recovered by each pair of teacher and student; a dash where the gap is within noise.",
        shows="share of the performance gap that is recovered, every pair of models",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
