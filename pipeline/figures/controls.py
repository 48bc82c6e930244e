"""What a student shows when its teacher knows nothing: the equality of gain and misfit holds for any teacher.

Beside it stand the two measures that tell a good teacher from a useless one.
"""

from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import plain, ratio_over_units
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import DATASETS, written

TEACHERS = {
    "weak": "weak teacher",
    "itself": "own class as teacher",
    "other_task": "teacher of another task",
    "shuffled": "trained on shuffled labels",
    "random": "random function",
    "constant": "mean label",
    "teachers_labels": "no teacher: its true labels",
}
# Each a ratio of two means: what stands above and below.
RATIOS = {
    "gain_over_misfit": ("gain", "misfit"),
    "student_error_over_variance": ("student_error", "truth_variance"),
    "gap_recovered": ("gain", "gap"),
}
LABELS = {
    "gain_over_misfit": "gain / misfit",
    "student_error_over_variance": "student error / Var(truth)",
    "gap_recovered": "share of the gap recovered",
}
LEVELS = {"gain_over_misfit": 1, "student_error_over_variance": 1, "gap_recovered": 0}
LIMITS = {"gain_over_misfit": (-0.75, 1.75), "student_error_over_variance": (0.008, 8), "gap_recovered": (-1.25, 1.25)}
PANELS = {"realizable": "a  realizable", "pretrained": "b  pretrained", "perturbed": "c  perturbed"}
# Teachers of all sizes that have not seen the student's molecules, as the controls have not.
LADDER = (
    "panel == 'random' and regime == 'full' and training == 'frozen' and ladder == 'smiles' and inputs == 'half' "
    "and head == 'ball' and seed == 0"
)
NOTHING = 1e-6  # of the teacher's error: below it misfit is rounding, and a ratio to it means nothing


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """The three ratios by panel or data set and kind of teacher, each over seeds or splits."""
    groups = [
        {"group": title, "teacher": kind, "units": unit, **_ratios(cells, unit, overlap(name, unit), settings)}
        for name, title, unit, own in _groups(tables)
        for kind, cells in own.items()
    ]
    told = {(row["group"], row["teacher"]): row for row in groups}
    first = next(iter(told))[0]
    useless = told.get((first, "random"), groups[0])
    reading = (
        f"With a random function as teacher gain / misfit is {written(plain(useless['gain_over_misfit']))} in panel "
        f"{first}, and the student's error {written(plain(useless['student_error_over_variance']))} of Var(truth)."
    )
    return plain({"reading": reading, "confidence": settings.confidence, "groups": groups})


def _groups(tables: Tables) -> list[tuple[str, str, str, dict[str, pd.DataFrame]]]:
    found = []
    cells = tables["synthetic"].query("head == 'exact' and inputs == 'fresh'")
    apart = controls_of(tables, "synthetic")
    for panel, title in PANELS.items():
        found.append(
            ("synthetic", title, "seed", _kinds(cells[cells["panel"] == panel], apart[apart["panel"] == panel]))
        )
    real, apart = tables["molecules"].query(LADDER), controls_of(tables, "molecules")
    for dataset in apart["dataset"].unique():
        own = (table[table["dataset"] == dataset] for table in (real, apart))
        found.append(("molecules", DATASETS.get(dataset, dataset), "split", _kinds(*own)))
    return found


def _kinds(real: pd.DataFrame, apart: pd.DataFrame) -> dict[str, pd.DataFrame]:
    named = {"weak": real, **{kind: apart[apart["control"] == kind] for kind in TEACHERS if kind != "weak"}}
    return {kind: cells for kind, cells in named.items() if not cells.empty}


def _ratios(cells: pd.DataFrame, unit: str, shared: float, settings: Intervals) -> dict[str, Any]:
    cells = cells.assign(gap=cells["weak_error"] - cells["ceiling_error"])
    means = cells.groupby(unit)[["gain", "misfit", "student_error", "truth_variance", "gap", "weak_error"]].mean()
    empty = {"misfit": "misfit", "gap": "gap"}
    found: dict[str, Any] = {}
    for name, (above, below) in RATIOS.items():
        nothing = below in empty and (means[below].abs() < NOTHING * means["weak_error"]).all()
        # A constant is in the student's class: it is repeated, so that gain and misfit are both 0.
        found[name] = None if nothing else ratio_over_units(means[above], means[below], settings.confidence, shared)
    return found


def draw(numbers: Numbers) -> Picture:
    """A row a panel, a column a ratio; weak teachers in colour, controls in grey."""
    titles = list(dict.fromkeys(row["group"] for row in numbers["groups"]))
    size = (drawing.WIDTH, 0.55 + 1.3 * len(titles))
    figure, grid = plt.subplots(len(titles), len(RATIOS), figsize=size, sharex="col", sharey="row", squeeze=False)
    for line, title in zip(grid, titles, strict=True):
        rows = [row for row in numbers["groups"] if row["group"] == title]
        for axes, name in zip(line, RATIOS, strict=True):
            _dots(axes, rows, name)
        line[0].set_yticks(range(len(rows)), [TEACHERS[row["teacher"]] for row in rows])
        line[0].set_ylim(len(rows) - 0.4, -0.6)
        line[0].set_title(title, fontweight="bold")
    for axes, name in zip(grid[-1], RATIOS, strict=True):
        axes.set_xlabel(LABELS[name])
    return figure


def _dots(axes: Axes, rows: list[Numbers], name: str) -> None:
    low, high = LIMITS[name]
    if name == "student_error_over_variance":
        axes.set_xscale("log")
    axes.axvline(LEVELS[name], color=drawing.INK, linewidth=0.8, zorder=1)
    for place, row in enumerate(rows):
        estimate = row[name]
        look = drawing.role_style("student") if row["teacher"] == "weak" else {"color": drawing.SOFT, "marker": "o"}
        if estimate is None:
            axes.text(LEVELS[name], place, " 0 / 0", va="center", color=drawing.SOFT)
        elif low <= estimate["value"] <= high:
            drawing.horizontal_interval(axes, place, estimate, **look)
        else:
            beyond = high if estimate["value"] > high else low
            arrow = f"{estimate['value']:.2g} →" if beyond == high else f"← {estimate['value']:.2g}"
            side = "right" if beyond == high else "left"
            axes.text(beyond, place, arrow, ha=side, va="center", color=look["color"])
    axes.set_xlim(low, high)
    axes.tick_params(axis="y", length=0)


def words(numbers: Numbers) -> str:
    """Each row's three ratios."""
    rows = "; ".join(
        f"{row['group']}, {TEACHERS[row['teacher']]}: "
        + ", ".join(f"{LABELS[name]} {written(row[name]) if row[name] else '0 / 0'}" for name in RATIOS)
        for row in numbers["groups"]
    )
    return f"Dots with intervals. {rows}. {numbers['reading']}"


FIGURES = {
    "charikar_controls": Figure(
        "charikar2024",
        ("synthetic", "molecules"),
        "Negative controls: gain over misfit is near 1 for teachers that know nothing of the task, as Pythagoras' "
        "theorem says of any teacher, and a student shrinks a wild one; what tells teachers apart is its own error.",
        "what random, shuffled and constant teachers show: the equality holds for them too",
        numbers,
        draw,
        words,
    )
}
