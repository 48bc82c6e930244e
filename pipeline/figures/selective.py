"""Weak labels only where the strong model does not know: accuracy by method and by threshold, risk by coverage."""

from typing import Any, NamedTuple

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_means, over_units, plain
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import interval

STUDY = "published/selective"
DATASETS = {
    "sst2": "SST-2",
    "sciq": "SciQ",
    "boolq": "BoolQ",
    "clusters": "clusters",
    "clusters-right": "teacher right",
}
GREY = {"color": drawing.SOFT, "marker": "X"}


class Method(NamedTuple):
    """A row of the upper panels: which cells, whose accuracy, and its look."""

    cells: dict[str, str]
    look: dict[str, str]
    column: str = "student_accuracy"


NAIVE, SELECTED = {"color": "#332288", "marker": "o"}, {"color": "#01665E", "marker": "D"}
METHODS = {
    "teacher": Method({"method": "naive"}, drawing.role_style("weak"), "weak_accuracy"),
    "weak labels": Method({"method": "naive"}, NAIVE),
    "confidence loss": Method({"method": "confidence"}, drawing.loss_style("confidence")),
    "smoothed": Method({"method": "smoothing"}, {"color": "#0072B2", "marker": "^"}),
    "own answers": Method({"method": "self"}, {"color": "#D55E00", "marker": "v"}),
    "strong model, asked": Method({"method": "self"}, {"color": "#D55E00", "marker": "<"}, "self_accuracy"),
    "selected by P(IK)": Method({"method": "selection", "pik": "own"}, SELECTED),
    "selected, smoothed": Method({"method": "full", "pik": "own"}, SELECTED),
    "… P(IK) of other tasks": Method({"method": "full", "pik": "other"}, {"color": "#CC79A7", "marker": "P"}),
    "… by margin": Method({"method": "full", "pik": "margin"}, {"color": "#7A5C00", "marker": "s"}),
    "true labels of P(IK)": Method({"method": "gold"}, {"color": drawing.INK, "marker": "*"}),
    "ceiling": Method({"method": "naive"}, drawing.role_style("ceiling"), "ceiling_accuracy"),
    "shuffled P(IK)": Method({"method": "selection", "control": "shuffled_ik"}, GREY),
    "shuffled labels": Method({"method": "naive", "control": "shuffled_labels"}, GREY),
    "one label for all": Method({"method": "naive", "control": "constant"}, GREY),
}
SELECTORS = {
    "own": ("P(IK) of the task", {"color": "#01665E", "marker": "D"}),
    "other": ("P(IK) of other tasks", {"color": "#CC79A7", "marker": "P"}),
    "margin": ("margin", {"color": "#7A5C00", "marker": "s"}),
    "shuffled_ik": ("shuffled P(IK)", GREY),
}
SWEPT = {
    ("selection", "own"): ("selected", {"color": "#01665E", "marker": "D"}),
    ("full", "own"): ("selected, smoothed", {"color": "#0072B2", "marker": "^"}),
    ("selection", "other"): ("selected, other tasks", {"color": "#CC79A7", "marker": "P"}),
}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Accuracy by set and method; risk of own answers by coverage; accuracy by threshold."""
    cells = pd.concat([tables[STUDY], controls_of(tables, STUDY)])
    cells = cells.assign(**{name: cells[name].fillna("") for name in ("pik", "control", "split")})
    found: Numbers = {"methods": {}, "risk": {}, "threshold": {}, "auroc": {}}
    for dataset in [name for name in DATASETS if name in set(cells["dataset"])]:
        own = cells[cells["dataset"] == dataset]
        main = own[own["panel"] == "main"]
        found["methods"][dataset] = {
            name: _over(_rows(main, method.cells), method.column, settings) for name, method in METHODS.items()
        }
        chosen = main[main["method"] == "selection"]
        by_selector = chosen[chosen["control"] == ""].groupby("pik", sort=False)
        found["auroc"][dataset] = {name: _over(rows, "auroc", settings) for name, rows in by_selector}
        if dataset != "clusters-right":
            coverage = own[own["panel"] == "coverage"].groupby("pik", sort=False)
            found["risk"][dataset] = {name: _along(rows, "risk", settings) for name, rows in coverage}
            swept = own[own["panel"] == "tau"].groupby(["method", "pik"], sort=False)
            found["threshold"][dataset] = {
                "/".join(key): _along(rows, "student_accuracy", settings) for key, rows in swept
            }
        found.setdefault("gains", {})[dataset] = _gain(main, settings)
    gains = ", ".join(f"{DATASETS[name]} {interval(plain(gain))}" for name, gain in found["gains"].items())
    transfer = ", ".join(
        f"{DATASETS[name]} {interval(plain(own['own']))} / {interval(plain(own['other']))}"
        for name, own in found["auroc"].items()
    )
    reading = (
        f"Accuracy with selected and smoothed labels less that with weak ones: {gains}. AUROC of P(IK) from the same / "
        f"another task: {transfer}."
    )
    return plain({"reading": reading, "confidence": settings.confidence, **found})


def _rows(cells: pd.DataFrame, keys: dict[str, str]) -> pd.DataFrame:
    """Rows of a method; those of controls only where one is named."""
    for name, value in ({"control": ""} | keys).items():
        cells = cells[cells[name] == value]
    return cells


def _over(rows: pd.DataFrame, column: str, settings: Intervals) -> Any:
    """Mean of a column over splits or seeds, of each the mean over teachers and sources of P(IK)."""
    unit = "split" if (rows["split"] != "").all() else "seed"
    # All of them are shares; a name that says so cuts their intervals at 0 and 1.
    return over_means(f"share_{column}", rows, column, settings.confidence, overlap(STUDY, unit), unit)


def _along(rows: pd.DataFrame, column: str, settings: Intervals) -> Numbers:
    levels = sorted(rows["level"].unique())
    return {"level": levels, column: [_over(rows[rows["level"] == level], column, settings) for level in levels]}


def _gain(main: pd.DataFrame, settings: Intervals) -> Any:
    """Accuracy with selected and smoothed labels less that with weak ones, paired by unit."""
    full, naive = (_rows(main, METHODS[name].cells) for name in ("selected, smoothed", "weak labels"))
    unit = "split" if (full["split"] != "").all() else "seed"
    apart = full.groupby(unit)["student_accuracy"].mean() - naive.groupby(unit)["student_accuracy"].mean()
    return over_units("gain", apart.to_list(), settings.confidence, overlap(STUDY, unit))


def draw(numbers: Numbers) -> Picture:
    """Methods above, a column a set; below risk by coverage and accuracy by threshold."""
    figure = plt.figure(figsize=(drawing.WIDTH, 8.2))
    above, middle, below = figure.subfigures(3, 1, height_ratios=(3.6, 2.4, 2.4))
    names = [*numbers["methods"]]
    for place, (axes, name) in enumerate(zip(_columns(above, len(names)), names, strict=True)):
        _methods(axes, numbers["methods"][name], place == 0)
        axes.set_title(("a  " if place == 0 else "") + DATASETS[name], fontweight="bold")
    above.supxlabel("accuracy on test rows", fontsize=8.5)
    for letter, part, key, column, looks in (
        ("b", middle, "risk", "risk", SELECTORS),
        ("c", below, "threshold", "student_accuracy", {"/".join(name): look for name, look in SWEPT.items()}),
    ):
        panels = _columns(part, len(numbers[key]), sharey=False)
        for axes, (name, lines) in zip(panels, numbers[key].items(), strict=True):
            for line, (label, look) in looks.items():
                if line in lines:
                    drawing.band(axes, lines[line]["level"], lines[line][column], label=label, **look)
            axes.set_title(DATASETS[name], fontweight="bold")
        panels[0].set_title(f"{letter}  {panels[0].get_title(loc='left')}", fontweight="bold")
        panels[0].set_ylabel("wrong own answers" if key == "risk" else "accuracy")
        part.supxlabel("coverage (share answered)" if key == "risk" else "threshold τ of P(IK)", fontsize=8.5)
        drawing.legend_above(part, panels[0], columns=4)
    return figure


def _columns(part: Any, count: int, sharey: bool = True) -> list[Axes]:
    return list(part.subplots(1, count, sharey=sharey, squeeze=False)[0])


def _methods(axes: Axes, estimates: dict[str, Numbers], first: bool) -> None:
    for place, (name, method) in enumerate(METHODS.items()):
        drawing.horizontal_interval(axes, place, estimates[name], **method.look)
    axes.axvline(estimates["weak labels"]["value"], color=drawing.FAINT, linewidth=0.8, zorder=0)
    axes.set_ylim(len(METHODS) - 0.5, -0.5)
    if first:
        axes.set_yticks(range(len(METHODS)), METHODS)
    axes.xaxis.set_major_locator(plt.MaxNLocator(3))


def words(numbers: Numbers) -> str:
    """Accuracies of the main methods of each set, and the reading."""
    shown = ("weak labels", "own answers", "selected, smoothed", "true labels of P(IK)", "ceiling")
    told = "; ".join(
        f"{DATASETS[name]}: " + ", ".join(f"{method} {interval(own[method])}" for method in shown)
        for name, own in numbers["methods"].items()
    )
    return f"Accuracy by method. {told}. {numbers['reading']}"


FIGURES = {
    "selective": Figure(
        source="lang2025",
        cells=(STUDY,),
        caption="Weak labels where P(IK) says that the strong model does not know, its own answers elsewhere (a "
        "reconstruction). Above: accuracy by method, thresholds chosen on validation rows, means over teachers with "
        "intervals over splits or draws. Middle: wrong own answers by coverage. Below: accuracy by fixed thresholds "
        "(1: weak labels, 0: own answers), first teacher. Last two columns above: clusters of our pilot, and such with "
        "a teacher that is wrong on none.",
        shows="selected, smoothed and own labels by P(IK), its transfer, thresholds, and true labels instead",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
