"""What more steps do to a ReLU student of a linear teacher (Oh, Song and Yun 2025, data-abundant regime)."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.feature_learning_phases import MARKERS, STUDY, level
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import interval, number
from pipeline.theory.intervals import Estimate

STOPS = {
    "others": ("best step (other seeds)", "student", "o", "-"),
    "validated": ("weak validation", "weak", "s", "--"),
    "final": ("last step", "ceiling", "D", ":"),
}
TYPES = {"easy": ("easy only", "s", "--"), "hard": ("hard only", "o", "-"), "both": ("both", "^", ":")}

COMPACT: dict[str, Any] = {"labelspacing": 0.2, "handlelength": 1.5, "handletextpad": 0.4, "columnspacing": 0.7}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Along training: by share of bridges on synthetic patches and on digits; and at the moments to stop."""
    cells = pd.concat([tables[STUDY], controls_of(tables, STUDY)])
    many = cells[cells["panel"].isin(["abundant", "digits"])]
    looks = many[many["moment"] == "look"]
    curves = [
        {"panel": panel, "both": both, "steps": sorted(own["step"].unique()), **_curves(own, settings)}
        for (panel, both), own in looks.groupby(["panel", "both"])
    ]
    columns = ("student_error", "student_hard_error", "weak_error", "righted", "step")
    ends = many[many["moment"].isin(STOPS)]
    stops = [
        {
            "panel": panel,
            "both": both,
            "moment": moment,
            "control": control or None,
            **{name: _mean(own, name, settings) for name in columns if own[name].notna().all()},
        }
        for (panel, both, moment, control), own in ends.assign(control=ends["control"].fillna("")).groupby(
            ["panel", "both", "moment", "control"]
        )
    ]
    return plain({"reading": _reading(stops), "confidence": settings.confidence, "curves": curves, "stops": stops})


def _curves(looks: pd.DataFrame, settings: Intervals) -> Numbers:
    columns = ["fitted", "clean", "righted", "student_error", "ceiling_error", "weak_error"]
    columns += [f"student_{kind}_error" for kind in TYPES] + ["along_easy", "along_hard", "along_noise"]
    return {
        name: [_mean(own, name, settings) for _, own in looks.groupby("step")]
        for name in columns
        if looks[name].notna().all()
    }


def _mean(cells: pd.DataFrame, name: str, settings: Intervals) -> Estimate:
    kind = f"share_{name}" if "along" not in name and name != "step" else name
    shared = overlap(STUDY, "split") if (cells["panel"] == "digits").all() else 0.0  # seeds divide the same images
    return over_units(kind, cells.sort_values("seed")[name].to_list(), settings.confidence, shared)


def _reading(stops: list[Numbers]) -> str:
    most = max(stop["both"] for stop in stops if stop["panel"] == "abundant")
    own = {
        stop["moment"]: stop["student_error"].value
        for stop in stops
        if (stop["panel"], stop["both"], stop["control"]) == ("abundant", most, None)
    }
    return (
        f"Test error at p_b = {most:g}: {own['others']:.3f} at the best step of the other seeds, {own['final']:.3f} at "
        f"the last one, {own['validated']:.3f} where weak validation stops."
    )


def draw(numbers: Numbers) -> Picture:
    """Top: training, test by type, filters at most bridges.  Bottom: hard-only error by bridges, stops, digits."""
    figure, grid = plt.subplots(2, 3, figsize=(drawing.WIDTH, 5.0))
    curves = [curve for curve in numbers["curves"] if curve["panel"] == "abundant"]
    _training(grid[0, 0], curves[-1])
    _by_type(grid[0, 1], curves[-1])
    _filters(grid[0, 2], curves[-1])
    _by_bridges(grid[1, 0], curves)
    _stops(grid[1, 1], numbers["stops"])
    _digits(grid[1, 2], [curve for curve in numbers["curves"] if curve["panel"] == "digits"])
    for letter, axes in zip("abcdef", grid.flat, strict=True):
        axes.set_title(f"{letter}  {axes.get_title(loc='left')}", fontweight="bold")
        if letter != "e":
            axes.set(xscale="log", xlabel="step of gradient descent")
    return figure


def _training(axes: Axes, curve: Numbers) -> None:
    looks = {
        "fitted": ("all: pseudo-label", drawing.INK, "D", ":"),
        "clean": ("right: pseudo-label", drawing.ROLE_COLOURS["weak"], "s", "--"),
        "righted": ("wrong: true label", drawing.ROLE_COLOURS["student"], "o", "-"),
    }
    for name, (label, colour, marker, line) in looks.items():
        look = {"color": colour, "marker": marker, "linestyle": line, "label": label}
        drawing.band(axes, curve["steps"], curve[name], **look)
    axes.set(ylim=(0, 1.55), yticks=np.linspace(0, 1, 6), ylabel="share predicted so", title="training examples")
    axes.legend(loc="upper left", **COMPACT)


def _by_type(axes: Axes, curve: Numbers) -> None:
    for kind, (label, marker, line) in TYPES.items():
        look = {"color": drawing.ROLE_COLOURS["student"], "marker": marker, "linestyle": line, "label": label}
        drawing.band(axes, curve["steps"], curve[f"student_{kind}_error"], **look)
    drawing.band(axes, curve["steps"], curve["student_error"], color=drawing.INK, label="all types")
    drawing.band(axes, curve["steps"], curve["ceiling_error"], color=drawing.SOFT, linestyle="--", label="gold labels")
    level(axes, curve["weak_error"][0]["value"], "teacher")
    axes.set(ylim=(-0.01, 0.75), yticks=np.linspace(0, 0.5, 6), ylabel="test error", title="test examples")
    axes.legend(loc="upper left", ncols=2, **COMPACT)


def _filters(axes: Axes, curve: Numbers) -> None:
    looks = {"along_easy": ("own μ", "s", "--"), "along_hard": ("own ±ν", "o", "-"), "along_noise": ("noise", "D", ":")}
    for name, (label, marker, line) in looks.items():
        colour = drawing.INK if name == "along_noise" else drawing.ROLE_COLOURS["student"]
        look = {"color": colour, "marker": marker, "linestyle": line, "label": label}
        drawing.band(axes, curve["steps"], curve[name], **look)
    axes.set(ylabel="length of filters along", title="filters", yscale="log")
    axes.legend(loc="upper left", **COMPACT)


def _by_bridges(axes: Axes, curves: list[Numbers]) -> None:
    shades = plt.get_cmap("viridis_r")(np.linspace(0.15, 0.95, max(len(curves) - 1, 1)))
    for curve, marker in zip(curves, MARKERS, strict=False):
        colour = drawing.SOFT if curve["both"] == 0 else shades[curves.index(curve) - 1]
        look = {"color": colour, "marker": marker, "label": f"{curve['both']:g}"}
        drawing.band(axes, curve["steps"], curve["student_hard_error"], **look)
    level(axes, 0.5, "chance")
    axes.set(
        ylim=(0, 0.85), yticks=np.linspace(0, 0.5, 6), ylabel="error on hard-only examples", title="bridges teach ν"
    )
    axes.legend(title="share of bridges p$_b$", loc="upper left", ncols=3, **COMPACT)


def _stops(axes: Axes, stops: list[Numbers]) -> None:
    own = [stop for stop in stops if stop["panel"] == "abundant"]
    for moment, (label, role, marker, line) in STOPS.items():
        some = [stop for stop in own if stop["moment"] == moment and stop["control"] is None]
        look = {"color": drawing.ROLE_COLOURS[role], "marker": marker, "linestyle": line, "label": label}
        drawing.band(axes, [stop["both"] for stop in some], [stop["student_error"] for stop in some], **look)
    linear = [stop for stop in own if stop["control"] is not None]
    look = {"color": drawing.SOFT, "marker": "v", "linestyle": "-.", "label": "linear student"}
    drawing.band(axes, [stop["both"] for stop in linear], [stop["student_error"] for stop in linear], **look)
    axes.set(ylim=(0, 0.3), xlabel="share of bridges p$_b$", ylabel="test error", title="where to stop")
    level(axes, own[0]["weak_error"]["value"], "")
    axes.legend(loc="upper left", **COMPACT)


def _digits(axes: Axes, curves: list[Numbers]) -> None:
    for curve, (line, marker) in zip(curves, ((":", "s"), ("-", "o")), strict=False):
        colour = drawing.SOFT if curve["both"] == 0 else drawing.ROLE_COLOURS["student"]
        look = {"color": colour, "marker": marker, "linestyle": line, "label": f"p$_b$ = {curve['both']:g}"}
        drawing.band(axes, curve["steps"], curve["student_error"], **look)
    drawing.band(axes, curves[-1]["steps"], curves[-1]["ceiling_error"], color=drawing.SOFT, linestyle="--",
                 label="gold labels")  # fmt: skip
    level(axes, curves[-1]["weak_error"][0]["value"], "teacher")
    axes.set(ylim=(0, 0.3), ylabel="test error", title="digits for signals")
    axes.legend(loc="upper right", **COMPACT)


def words(numbers: Numbers) -> str:
    """Errors at the moments to stop, by panel and share of bridges."""
    rows = "; ".join(
        f"{stop['panel']}, p_b {number(stop['both'])}, {stop['control'] or stop['moment']}: "
        f"{interval(stop['student_error'])}"
        for stop in numbers["stops"]
    )
    return f"{numbers['reading']} Test errors: {rows}."


FIGURES = {
    "feature_learning_steps": Figure(
        source="oh2025",
        cells=(STUDY,),
        caption="Data-abundant: wrong labels are put right, then learned; by share of bridges, and on digits.",
        shows="early stopping, bridge examples and what filters learn",
        numbers=numbers,
        draw=draw,
        words=words,
    ),
}
