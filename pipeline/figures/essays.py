"""Essays scored by people: gain and misfit, more weak labels, roles, selection of the teacher, inherited errors."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import seaborn
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing, own_data
from pipeline.figures.controls import TEACHERS
from pipeline.summary import selection
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_units, plain, ratio_over_units
from pipeline.summary.tables import CONTROLS, Tables, controls_of
from pipeline.summary.words import number, written
from pipeline.theory.selection import expected_regret_at_random

STUDY = "published/essays"
PREFIXES = {"train_": "on the student's own essays", "": "on the test essays"}
LINES: dict[str, dict[str, Any]] = {
    "train_": {"linestyle": (0, (4, 1.5)), "marker": "s"},
    "": {"linestyle": "-", "marker": "o"},
}
GREY: dict[str, dict[str, Any]] = {
    "random": {"marker": "x", "linestyle": "-"},
    "shuffled": {"marker": "+", "linestyle": ":"},
}
OPEN: dict[str, Any] = {"markerfacecolor": "white", "markeredgewidth": 0.9}
LOWEST, HIGHEST = -1.6, 2.5  # of gain / misfit in c
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h", "<", ">")
RULES = {
    "smallest_difference": "smallest\n(weak error − misfit)",
    "lowest_weak_error": "lowest\nweak error",
    "highest_misfit": "highest\nmisfit",
    "largest_model": "widest\nteacher",
}
ALONE = "teachers_labels"


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """All panels; a to b on every student, c on the strongest rung by labels, d to f on it with all labels."""
    cells, apart = tables[STUDY], controls_of(tables, STUDY)
    main = {STUDY: cells[cells["panel"] == "main"], f"{STUDY}/{CONTROLS}": apart[apart["panel"] == "main"]}
    last = main[STUDY]["strong"].iloc[-1]
    strongest = {name: table[table["strong"] == last] for name, table in main.items()}
    joined = cells[cells["panel"] == "joined"].assign(panel="main")
    scatter, beside = (own_data.gain_numbers(STUDY, some, settings) for some in (main, {**main, STUDY: joined}))
    found = {
        "confidence": settings.confidence,
        "strongest": str(last),
        "points": scatter["points"],
        "joined": [point for point in beside["points"] if not point["kind"]],
        "limits": {
            axis: [
                choose(one["limits"][axis][end] for one in (scatter, beside)) for end, choose in ((0, min), (1, max))
            ]
            for axis in ("gain", "misfit")
        },
        "ratios": {prefix: _ratio(main[STUDY], prefix, settings) for prefix in PREFIXES},
        "joined_ratios": {prefix: _ratio(joined, prefix, settings) for prefix in PREFIXES},
        "scaling": _scaling(cells[cells["strong"] == last], apart[apart["strong"] == last], settings),
        "joined_scaling": _scaling(cells[cells["strong"].isin(joined["strong"])], apart.head(0), settings),
        "pairs": own_data.pair_numbers(STUDY, strongest, settings)["pairs"],
        "joined_pairs": own_data.pair_numbers(STUDY, {STUDY: joined}, settings)["pairs"],
        "selection": _selection(strongest[STUDY], settings),
        "correlations": _correlations(strongest, settings),
    }
    told = {key: written(plain(found[key][""])) for key in ("ratios", "joined_ratios")}
    reading = (
        f"Gain / misfit on the test essays is {told['ratios']} for students on states of the network, and "
        f"{told['joined_ratios']} for those that also see the surface statistics."
    )
    return plain({"reading": reading, **found})


def _ratio(cells: pd.DataFrame, prefix: str, settings: Intervals) -> Any:
    """Gain over misfit of mean gain and misfit of each seed."""
    means = cells.groupby("seed")[[f"{prefix}gain", f"{prefix}misfit"]].mean()
    above, below = (means[column].to_list() for column in means)
    return ratio_over_units(above, below, settings.confidence, overlap(STUDY, "seed"))


def _scaling(cells: pd.DataFrame, apart: pd.DataFrame, settings: Intervals) -> Numbers:
    """Gain over misfit at every number of weak labels, on both samples; of controls on the test alone."""
    sizes = sorted(cells["n_train"].unique())
    curves = {
        prefix: [_ratio(cells[cells["n_train"] == size], prefix, settings) for size in sizes] for prefix in PREFIXES
    }
    grey = {
        kind: [_ratio(own[own["n_train"] == size], "", settings) for size in sizes]
        for kind, own in apart.groupby("control")
        if kind in GREY
    }
    return {"sizes": [int(size) for size in sizes], "curves": curves, "controls": grey}


def _selection(cells: pd.DataFrame, settings: Intervals) -> Numbers:
    """Regret of each rule, read off the test essays, over seeds; and that of a choice by lot."""
    shared, draws = overlap(STUDY, "seed"), list(selection.by_draw(cells))
    regrets = {rule: [selection.regret(draw, rule, "test") for draw in draws] for rule in RULES}
    regrets["by_lot"] = [expected_regret_at_random(draw["student_error"]) for draw in draws]
    return {rule: over_units("regret", values, settings.confidence, shared) for rule, values in regrets.items()}


def _correlations(tables: Mapping[str, pd.DataFrame], settings: Intervals) -> list[Numbers]:
    """Correlation of a student's errors with its teacher's; of the first teacher's labels also without it."""
    shared = overlap(STUDY, "seed")

    def mean(own: pd.DataFrame) -> Any:
        return over_units("correlation", own["error_correlation"].to_list(), settings.confidence, shared)

    apart = tables[f"{STUDY}/{CONTROLS}"]
    alone = apart[apart["control"] == ALONE]
    found = []
    for weak, own in tables[STUDY].groupby("weak", sort=False):
        same = alone[alone["weak"] == weak]
        found.append({"weak": weak, "student": mean(own), "alone": None if same.empty else mean(same)})
    return found


def draw(numbers: Numbers) -> Picture:
    """Three rows of two panels."""
    figure, grid = plt.subplots(3, 2, figsize=(drawing.WIDTH, 8.6), height_ratios=[1.15, 1, 0.95])
    looks = _looks(numbers)
    for axes, prefix, letter in zip(grid[0], PREFIXES, "ab", strict=True):
        _scatter(axes, numbers, prefix, looks)
        axes.set_title(f"{letter}  {PREFIXES[prefix]}", fontweight="bold")
    grid[0, 0].set_ylabel("misfit  d(s, w)  [score variance]")
    _curves(grid[1, 0], numbers["scaling"], numbers["joined_scaling"])
    _roles(grid[1, 1], numbers["pairs"], numbers["joined_pairs"])
    _regrets(grid[2, 0], numbers["selection"])
    order = [pair["weak"] for pair in numbers["pairs"]]
    _errors(grid[2, 1], sorted(numbers["correlations"], key=lambda row: order.index(row["weak"])))
    handles = [
        Line2D([], [], linestyle="none", markersize=5, label=name, markeredgewidth=0, **look)
        for name, look in looks.items()
    ]
    handles.append(Line2D([], [], linestyle="none", marker="X", color=drawing.SOFT, label="control teachers"))
    open_look = {"markerfacecolor": "white", "markeredgecolor": drawing.INK}
    handles.append(Line2D([], [], linestyle="none", marker="o", label="student + surface", **open_look))
    handles.append(Line2D([], [], label="gain = misfit", **drawing.EQUAL))
    figure.legend(handles=handles, loc="outside upper center", ncols=6, columnspacing=1.0, handletextpad=0.3)
    return figure


def _looks(numbers: Numbers) -> dict[str, dict[str, Any]]:
    """Colour and marker of each teacher, light to dark from the worst to the best."""
    names = [pair["weak"] for pair in numbers["pairs"]]
    colours = seaborn.color_palette(drawing.LADDER, len(names))
    return {name: {"color": colours[place], "marker": MARKERS[place]} for place, name in enumerate(names)}


def _scatter(axes: Axes, numbers: Numbers, prefix: str, looks: dict[str, dict[str, Any]]) -> None:
    limits, further = numbers["limits"], []
    for place, point in enumerate([*numbers["points"], *numbers["joined"]]):
        if point["place"] != prefix:
            continue
        look = looks.get(point["teacher"], {"color": drawing.SOFT, "marker": "X"})
        face = OPEN if place >= len(numbers["points"]) else {}
        x, y = point["gain"]["value"], point["misfit"]["value"]
        if point["kind"] and not (limits["gain"][0] <= x <= limits["gain"][1] and y <= limits["misfit"][1]):
            further.append(TEACHERS[point["teacher"]])
            continue
        for ends, level in ((point["gain"], None), (point["misfit"], x)):
            if ends["low"] is not None:
                across = (
                    ([ends["low"], ends["high"]], [y, y]) if level is None else ([x, x], [ends["low"], ends["high"]])
                )
                axes.plot(*across, color=look["color"], linewidth=0.8, alpha=0.35, zorder=2)
        axes.plot(x, y, linestyle="none", zorder=3, **{"markersize": 4.5, "markeredgewidth": 0, **look, **face})
    axes.axline((0, 0), slope=1, **drawing.EQUAL)
    axes.set(xlim=limits["gain"], ylim=limits["misfit"], xlabel="gain  d(w, t) − d(s, t)  [score variance]")
    if further:
        told = "further out: " + ", ".join(dict.fromkeys(further))
        axes.text(0.01, 0.98, told, transform=axes.transAxes, va="top", color=drawing.SOFT)


def _curves(axes: Axes, scaling: Numbers, joined: Numbers) -> None:
    for kind, curve in scaling["controls"].items():
        look = {"markeredgewidth": 1, "color": "#8c8c8c", **GREY[kind]}
        if all(LOWEST <= point["value"] <= HIGHEST for point in curve):
            drawing.band(axes, scaling["sizes"], curve, alpha=0.0, label=f"test essays, {TEACHERS[kind]}", **look)
        else:
            axes.text(0.99, 0.02, f"beyond: {TEACHERS[kind]}", transform=axes.transAxes, ha="right", color="#8c8c8c")
    for prefix, curve in scaling["curves"].items():
        look = {"color": drawing.ROLE_COLOURS["student"], "label": "own essays" if prefix else "test essays"}
        drawing.band(axes, scaling["sizes"], curve, **look, **LINES[prefix])
        beside = {**look, "label": None, **LINES[prefix], **OPEN}
        drawing.band(axes, joined["sizes"], joined["curves"][prefix], alpha=0.08, **beside)
    axes.axhline(1, **drawing.EQUAL)
    axes.axhline(0, color=drawing.FAINT, linewidth=0.8, zorder=0.5)
    axes.set(xscale="log", xlabel="weak labels,  n", ylabel="gain / misfit", ylim=(LOWEST, HIGHEST))
    apart = [size for size in scaling["sizes"][:-1] if size < scaling["sizes"][-1] / 1.3] + scaling["sizes"][-1:]
    axes.set_xticks(apart, [str(size) for size in apart])
    axes.minorticks_off()
    axes.set_title("c  more weak labels", fontweight="bold")
    axes.legend(loc="upper left", labelspacing=0.2)


def _roles(axes: Axes, pairs: list[Numbers], joined: list[Numbers]) -> None:
    """Roles of each teacher; open: student and ceiling that see the surface statistics as well."""
    beside = {pair["weak"]: pair for pair in joined}
    shifts = {"weak": -0.28, "student": -0.1, "ceiling": 0.22}
    for place, pair in enumerate(pairs):
        for role, shift in shifts.items():
            label = role if place == 0 else None
            look = {"label": label, **drawing.role_style(role)}
            drawing.horizontal_interval(axes, place + shift, pair["roles"][role], **look)
            if role != "weak" and pair["weak"] in beside:
                other = beside[pair["weak"]]["roles"][role]
                drawing.horizontal_interval(axes, place + shift + 0.12, other, **drawing.role_style(role), **OPEN)
        own, other = (one["pgr"] for one in (pair, beside.get(pair["weak"], pair)))
        told = " / ".join(f"{pgr['value']:.2f}" if pgr else "–" for pgr in (own, other))
        axes.text(1.01, place, told, transform=axes.get_yaxis_transform(), va="center")
    axes.text(1.01, 1.01, "PGR", transform=axes.transAxes, va="bottom", fontweight="bold")
    axes.set_yticks(range(len(pairs)), [pair["weak"] for pair in pairs])
    axes.set(ylim=(len(pairs) - 0.4, -0.6), xlabel="error / Var(scores)")
    axes.tick_params(axis="y", length=0)
    axes.set_title("d  three roles", fontweight="bold")
    axes.legend(loc="lower right", handletextpad=0.1, labelspacing=0.2)


def _regrets(axes: Axes, found: Numbers) -> None:
    for place, rule in enumerate(RULES):
        colour = drawing.HIGHLIGHT if rule == selection.PAPER else drawing.INK
        low = found[rule]["low"]
        cut = {**found[rule], "low": None if low is None else max(0.0, low)}
        drawing.horizontal_interval(axes, place, cut, color=colour, marker="o")
    axes.axvline(found["by_lot"]["value"], color=drawing.SOFT, linestyle=(0, (5, 2)), linewidth=0.9, zorder=1)
    axes.text(found["by_lot"]["value"], -0.52, " by lot", color=drawing.SOFT, va="center")
    axes.set_yticks(range(len(RULES)), list(RULES.values()))
    axes.set(ylim=(len(RULES) - 0.4, -0.7), xlabel="regret  [score variance]")
    axes.set_xlim(left=-0.03 * axes.get_xlim()[1])
    axes.tick_params(axis="y", length=0)
    axes.set_title("e  which teacher to learn from", fontweight="bold")


def _errors(axes: Axes, rows: list[Numbers]) -> None:
    for place, row in enumerate(rows):
        drawing.horizontal_interval(axes, place, row["student"], **drawing.role_style("student"))
        if row["alone"]:
            drawing.horizontal_interval(axes, place + 0.25, row["alone"], color=drawing.SOFT, marker="X")
    axes.plot([], [], linestyle="none", label="student", **drawing.role_style("student"))
    axes.plot([], [], "X", color=drawing.SOFT, label="without the teacher")
    axes.set_yticks(range(len(rows)), [row["weak"] for row in rows])
    axes.set(ylim=(len(rows) + 1.2, -0.6), xlim=(0, 1.02), xlabel="correlation of errors with the teacher's")
    axes.tick_params(axis="y", length=0)
    axes.set_title("f  whose errors", fontweight="bold")
    axes.legend(loc="lower left", handletextpad=0.1, labelspacing=0.2)


def words(numbers: Numbers) -> str:
    """Every pair on the strongest rung, the curve's ends, and the rule."""
    pairs = "; ".join(
        f"{pair['weak']}: "
        + ", ".join(f"{role} {number(estimate['value'])}" for role, estimate in pair["roles"].items())
        + (f", PGR {written(pair['pgr'])}" if pair["pgr"] else "")
        for pair in numbers["pairs"]
    )
    sizes, curve = numbers["scaling"]["sizes"], numbers["scaling"]["curves"][""]
    chosen = numbers["selection"]
    joined = "; ".join(
        f"{pair['weak']} {number(pair['roles']['student']['value'])}" for pair in numbers["joined_pairs"]
    )
    return (
        f"{numbers['reading']} Errors over the scores' variance on {numbers['strongest']}: {pairs}. Students that see "
        f"the surface statistics as well: {joined}. On the test gain "
        f"/ misfit goes from {written(curve[0])} with {sizes[0]} weak labels to {written(curve[-1])} with {sizes[-1]}. "
        f"Regret of the smallest (weak error - misfit) {written(chosen[selection.PAPER], 3)}, by lot "
        f"{written(chosen['by_lot'], 3)}."
    )


FIGURES = {
    "essays": Figure(
        source="charikar2024",
        cells=(STUDY,),
        caption=(
            "Essays of eight prompts, scores standardised by prompt. a, b: gain against misfit of every teacher and "
            "student; open: students that see the surface statistics of the whole essay beside the states of a network "
            "that reads its end. c to f: on layer 18, c with teachers pooled. Intervals over seeds, each of which "
            "divides the same essays anew (Nadeau and Bengio)."
        ),
        shows="regression on essays: gain against misfit, weak labels, selection rule, inheritance",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
