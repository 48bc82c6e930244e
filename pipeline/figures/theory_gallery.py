"""Six predictions of other papers: the prediction as a line, what was simulated as points."""

from typing import Any, NamedTuple

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary import predictions
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.statistics import Statistic
from pipeline.summary.tables import Tables
from pipeline.summary.words import interval, number

STUDY = "published/gallery"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
MARKERS = ("o", "s", "^", "D")


class Panel(NamedTuple):
    """How an item is drawn, and in which number it agrees with its paper: the cells chosen and their statistic."""

    title: str
    labels: tuple[str, str]
    scales: tuple[str, str]
    settings: tuple[str, ...]  # with their line and points
    controls: tuple[str, ...]  # points alone, in grey
    agreement: tuple[str, str, Statistic]  # what it is, cells, statistic


PANELS = {
    "subspaces": Panel(
        "1  Dong et al.: overlap of features",
        ("weak labels N", "variance of the student"),
        ("log", "log"),
        ("shared 0", "shared 10", "shared 20"),
        ("tilted 10",),
        ("measured / theory", "regime == 'inside'", predictions.measured_over_predicted),
    ),
    "random_features": Panel(
        "2  Medvedev et al.: random features",
        ("error of the teacher", "error of the student"),
        ("log", "log"),
        ("linear", "relu"),
        ("linear, not stopped", "relu, not stopped"),
        ("exponent of ReLU", "setting == 'relu'", predictions.student_exponent),
    ),
    "masking": Panel(
        "3  Ildiz et al.: teachers that mask",
        ("share of coordinates kept", "risk of the student"),
        ("linear", "log"),
        ("n < p", "n > p"),
        (),
        ("measured / theory", "setting == 'n < p'", predictions.measured_over_predicted),
    ),
    "expansion": Panel(
        "4  Lang et al.: expansion (upper bound)",
        ("length of wrong stretches [radii]", "error on covered points [share]"),
        ("log", "linear"),
        ("smooth, α = 0.1", "smooth, α = 0.3"),
        ("memorises, α = 0.1", "memorises, α = 0.3"),
        ("error less bound", "setting == 'smooth, α = 0.1'", predictions.measured_less_predicted),
    ),
    "posterior_mean": Panel(
        "5  Xu et al.: mean of the teachers",
        ("teachers averaged m", "(misfit − gain) / variance"),
        ("log", "linear"),
        ("800 features", "100 features"),
        ("20 features",),
        (
            "at m = 20, 800 features",
            "setting == '800 features' and level == level.max()",
            predictions.mean_measured,
        ),
    ),
    "spiked": Panel(
        "6  Wu and Sahai: many weak labels",
        ("exponent u of the weak labels, m = nᵘ", "accuracy of the student"),
        ("linear", "linear"),
        ("n = 32", "n = 128", "n = 512"),
        ("n = 128, shared errors",),
        ("measured − theory", "regime == 'inside'", predictions.measured_less_predicted),
    ),
}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Of every item its series, with intervals over seeds, and its agreement with the prediction."""
    cells = tables[STUDY]
    panels: dict[str, Numbers] = {}
    for name, panel in PANELS.items():
        own = cells[cells["panel"] == name]
        what, chosen, statistic = panel.agreement
        values = [statistic(seed) for _, seed in own.query(chosen).groupby("seed")]
        panels[name] = {
            "series": [_series(own, setting, settings) for setting in (*panel.settings, *panel.controls)],
            "agreement": {"what": what, **over_units("agreement", values, settings.confidence)._asdict()},
        }
    spiked, masked = (cells[cells["panel"] == name] for name in ("spiked", "masking"))
    panels["spiked"]["mark"] = float(spiked["threshold"].mean())
    panels["masking"]["mark"] = float(masked.query("setting == 'n < p'").eval("best_kept / level.max()").mean())
    found = "; ".join(f"{name.replace('_', ' ')}: {one['agreement']['what']}" for name, one in panels.items())
    reading = f"Agreement of simulation and prediction over {cells['seed'].nunique()} seeds, by item ({found})."
    return plain({"reading": reading, "confidence": settings.confidence, "panels": panels})


def _series(own: pd.DataFrame, setting: str, settings: Intervals) -> Numbers:
    places = own[own["setting"] == setting].groupby("level")
    means = places[["x", "predicted", "weak_error"]].mean()
    found = [over_units("measured", list(place["measured"]), settings.confidence) for _, place in places]
    return {"setting": setting, "level": list(means.index), **means.to_dict("list"), "measured": found}


def draw(numbers: Numbers) -> Picture:
    """A panel an item: lines of theory first, then points; controls, and what theory leaves out, in grey."""
    figure, grid = plt.subplots(3, 2, figsize=(drawing.WIDTH, 8.4))
    for axes, (name, panel) in zip(grid.flat, PANELS.items(), strict=True):
        found = numbers["panels"][name]
        axes.set(xscale=panel.scales[0], yscale=panel.scales[1], xlabel=panel.labels[0], ylabel=panel.labels[1])
        for series in sorted(found["series"], key=lambda one: one["setting"] in panel.settings):  # controls beneath
            _drawn(axes, panel, series)
        REFERENCES[name](axes, found)
        agreement = f"{found['agreement']['what']}: {interval(found['agreement'])}"
        axes.set_title(panel.title, fontweight="bold", pad=17)
        beneath = axes.text(0, 1.02, agreement, transform=axes.transAxes, color=drawing.SOFT)
        beneath.set_in_layout(False)  # or it would make its panel narrow
        axes.legend(handlelength=1.2, labelspacing=0.2, handletextpad=0.4, **PLACES[name])
    _key(figure)
    return figure


def _drawn(axes: Axes, panel: Panel, series: Numbers) -> None:
    setting, order = series["setting"], sorted(range(len(series["x"])), key=lambda place: series["x"][place])
    look: dict[str, Any] = {"color": drawing.SOFT, "marker": MARKERS[len(panel.settings) % 4]}
    if setting in panel.settings:
        place = panel.settings.index(setting)
        look = {"color": COLOURS[place], "marker": MARKERS[place]}
        x, y = ([series[name][at] for at in order] for name in ("x", "predicted"))
        axes.plot(x, y, color=look["color"], linewidth=1.2, zorder=1)
    else:
        look |= {"markerfacecolor": "white", "markeredgewidth": 0.9}
    for at in order:
        drawing.vertical_interval(axes, series["x"][at], series["measured"][at], **look)
    axes.plot([], [], linestyle="none", label=NAMES.get(setting, setting), markersize=4.5, **look)


def _teacher(axes: Axes, found: Numbers) -> None:
    """The teacher's error at each place, where it does not change along the axis."""
    for level in {round(series["weak_error"][0], 9) for series in found["series"]}:
        axes.axhline(level, **TEACHER)


def _equal(axes: Axes, found: Numbers) -> None:
    ends = [axes.get_xlim()[0], axes.get_xlim()[1]]
    axes.plot(ends, ends, **drawing.EQUAL)


def _rule(axes: Axes, found: Numbers) -> None:
    axes.axvline(found["mark"], **MARK)
    axes.text(found["mark"] + 0.015, axes.get_ylim()[1], "their rule", va="top", color=drawing.SOFT)


def _errors(axes: Axes, found: Numbers) -> None:
    for setting in PANELS["expansion"].settings:
        axes.axhline(float(setting.split("= ")[1]), **TEACHER)
    axes.set_ylim(-0.02, 0.75)


def _nothing(axes: Axes, found: Numbers) -> None:
    axes.axhline(0, color=drawing.INK, linewidth=0.8, zorder=1)


def _threshold(axes: Axes, found: Numbers) -> None:
    axes.axvline(found["mark"], **MARK)
    axes.text(found["mark"] - 0.02, axes.get_ylim()[1], "u*", va="top", ha="right", color=drawing.SOFT)
    axes.axhline(0.5, color=drawing.INK, linewidth=0.8, zorder=1)


def _key(figure: Picture) -> None:
    """One legend for what all panels share."""
    marks = [
        Line2D([], [], color=drawing.INK, linewidth=1.2, label="prediction"),
        Line2D([], [], color=drawing.INK, marker="o", linestyle="none", markersize=4.5, label="simulation, 95 %"),
        Line2D([], [], linestyle="none", marker="o", color=drawing.SOFT, markerfacecolor="white", label="control"),
        Line2D([], [], label="teacher", **{**TEACHER, "zorder": 2}),
    ]
    figure.legend(handles=marks, loc="outside upper center", ncols=4, columnspacing=1.6)


TEACHER: dict[str, Any] = {"color": drawing.SOFT, "linestyle": ":", "linewidth": 1.1, "zorder": 1}
MARK: dict[str, Any] = {"color": drawing.FAINT, "linewidth": 1.0, "zorder": 0}
REFERENCES = {
    "subspaces": _teacher,
    "random_features": _equal,
    "masking": _rule,
    "expansion": _errors,
    "posterior_mean": _nothing,
    "spiked": _threshold,
}
PLACES: dict[str, dict[str, Any]] = {
    "subspaces": {"loc": "lower left"},
    "random_features": {"loc": "upper left"},
    "masking": {"loc": "upper right"},
    "expansion": {"loc": "upper left"},
    "posterior_mean": {"loc": "upper right"},
    "spiked": {"loc": "upper left"},
}
NAMES = {
    "shared 0": "no shared direction",
    "shared 10": "10 of 20 shared",
    "shared 20": "20 of 20 shared",
    "tilted 10": "overlap 10, all tilted",
    "linear": "linear, exponent 2",
    "relu": "ReLU, exponent 1.49",
    "linear, not stopped": "not stopped",
    "relu, not stopped": "_",
    "smooth, α = 0.1": "smooth student, α = .1",
    "smooth, α = 0.3": "smooth student, α = .3",
    "memorises, α = 0.1": "memorises",
    "memorises, α = 0.3": "_",
    "n = 128, shared errors": "n = 128, errors shared",
}


def words(numbers: Numbers) -> str:
    """Agreement of every item, and the ends of its series."""
    told = []
    for name, panel in PANELS.items():
        found = numbers["panels"][name]
        ends = "; ".join(
            f"{series['setting']} {number(series['measured'][0]['value'])} to {number(series['measured'][-1]['value'])}"
            for series in found["series"]
        )
        told.append(f"{panel.title[3:]}: {found['agreement']['what']} {interval(found['agreement'])}; {ends}")
    return f"{'. '.join(told)}."


FIGURES = {
    "theory_gallery": Figure(
        source="gallery",
        cells=(STUDY,),
        caption="Six predictions of other papers: lines are predictions, points simulations with intervals over seeds; "
        "in panel 3 the right end is learning from true labels; in panel 6 the threshold u* is that of our exponents, "
        "and the largest size ends at u = 1.2.",
        shows="six further theorems, each simulated beside its prediction",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
