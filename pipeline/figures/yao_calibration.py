"""Calibration of Yao et al. 2025: its error by role, and its change against the recalled and the proved bound."""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.tables import Tables
from pipeline.summary.words import span
from pipeline.summary.yao_students import PANELS, ROLES, STUDENTS, last, of, own_direction, solved

DRAWN_TASKS = 5  # of each seed, where every task would blacken the figure
ASIDE = {"weak": -0.24, "student": -0.08, "ceiling": 0.24}
SCALED = "student, temperature-scaled"
RESCALED = {"markerfacecolor": "white", "markeredgewidth": 1}
CLASSES = {"mixture": "convex", "softmax": "softmax"}
EXPERIMENTS = {"kl": {"color": drawing.SOFT, "marker": "o"}, "digits": {"color": drawing.INK, "marker": "s"}}
SHORT = {"reverse_kl": "reverse KL", "cross_entropy": "CE"}
# How often the width is allowed, and what is bounded by it.
BOUNDS = {"smooth": (2, "smooth calibration error, proved"), "marginal": (1, "binned marginal error, as recalled")}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """ECE of teacher, student and ceiling; changes of two calibration errors against the width of B-3."""
    kl, digits = solved(tables["kl"]), last(tables["digits"])
    panels = [_bar("kl", panel, kl[kl["panel"] == panel], *one, settings) for panel in PANELS for one in STUDENTS]
    teachers = dict.fromkeys(tables["digits"]["weak"])
    rows = [
        _bar("digits", weak, digits[digits["weak"] == weak], *one, settings) for weak in teachers for one in STUDENTS
    ]
    drawn = {"kl": own_direction(kl[kl["task"] < DRAWN_TASKS]), "digits": digits}
    changes = [{"experiment": name, **_change(cells)} for name, cells in drawn.items()]
    refuted = tables["counterexample"].to_dict("records")
    reading = (
        f"The recalled bound fails in the counterexample (error {refuted[0]['student_error']:.2f} against width "
        f"{refuted[0]['width']:.3f}); the smooth calibration error changes by no more than twice the width."
    )
    kind = {"reading": reading, "confidence": settings.confidence}
    return plain({**kind, "bars": [*panels, *rows], "changes": changes, "counterexample": refuted})


def _bar(
    experiment: str, group: str, cells: pd.DataFrame, family: str, loss: str, direction: str, settings: Intervals
) -> Numbers:
    unit = {"kl": "seed", "digits": "split"}[experiment]
    chosen = of(cells, family, loss, direction)
    means = {role: chosen.groupby(unit)[f"{role}_ece"].mean().to_list() for role in ROLES}
    means["student_scaled"] = chosen.groupby(unit)["student_ece_scaled"].mean().to_list()
    kind = {"experiment": experiment, "group": group, "class": family, "loss": loss}
    shared = overlap(experiment, unit)
    return kind | {role: over_units("ece", values, settings.confidence, shared) for role, values in means.items()}


def _change(cells: pd.DataFrame) -> Numbers:
    return {
        "width": cells["calibration_bound"].to_list(),
        "smooth": (cells["weak_smooth"] - cells["student_smooth"]).abs().to_list(),
        "marginal": (cells["weak_mce"] - cells["student_mce"]).abs().to_list(),
    }


def draw(numbers: Numbers) -> Picture:
    """Top: calibration error by role.  Bottom: its change against the width of the bound."""
    figure = plt.figure(figsize=(drawing.WIDTH, 7.0))
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.2, 1))
    for axes, name in zip(top.subplots(1, 2), EXPERIMENTS, strict=True):
        _errors(axes, [bar for bar in numbers["bars"] if bar["experiment"] == name])
        axes.set_title(name, fontweight="bold")
    drawing.legend_above(top, axes, columns=4)
    for axes, column in zip(bottom.subplots(1, 2), BOUNDS, strict=True):
        _changes(axes, numbers, column)
    axes.legend(loc="center right", markerscale=1.6)
    return figure


def _errors(axes: Axes, bars: list[Numbers]) -> None:
    """ECE of the three roles, a row a student."""
    for place, bar in enumerate(bars):
        for role, shift in ASIDE.items():
            look = {"label": role if place == 0 else None, "clip_on": False, **drawing.role_style(role)}
            drawing.horizontal_interval(axes, place + shift, bar[role], **look)
        hollow = drawing.role_style("student") | RESCALED | {"markeredgecolor": drawing.ROLE_COLOURS["student"]}
        label = SCALED if place == 0 else None
        drawing.horizontal_interval(axes, place + 0.08, bar["student_scaled"], clip_on=False, label=label, **hollow)
    names = [f"{drawing.spoken(bar['group'])}: {CLASSES[bar['class']]}, {SHORT[bar['loss']]}" for bar in bars]
    axes.set_yticks(range(len(bars)), names)
    axes.set(xlabel="ECE", ylim=(len(bars) - 0.5, -0.5))
    axes.set_xlim(left=0)


def _changes(axes: Axes, numbers: Numbers, column: str) -> None:
    """Change of one error against the width of the bound; below the dashed line the bound holds."""
    for change in numbers["changes"]:
        look = {"markersize": 2.5, "markeredgewidth": 0, "alpha": 0.7, **EXPERIMENTS[change["experiment"]]}
        axes.plot(change["width"], change[column], linestyle="none", label=change["experiment"], **look)
    if column == "marginal":
        pairs = numbers["counterexample"]
        x, y = [pair["width"] for pair in pairs], [pair["student_error"] for pair in pairs]
        axes.plot(x, y, "X", color=drawing.HIGHLIGHT, markersize=6, markeredgewidth=0, label="counterexample")
    times, title = BOUNDS[column]
    axes.plot([0, 2], [0, 2 * times], **drawing.EQUAL)
    label = "width  2 √(1 − exp(−KL(w, s)))"
    axes.set(xlabel=label, ylabel="change, teacher to student", xlim=(0, 2), ylim=(0, 1.3))
    axes.set_title(title + (f": {times} · width" if times > 1 else ": width"))


def words(numbers: Numbers) -> str:
    """Range of the calibration errors by role, how often the student is worse, and the counterexample."""
    bars = numbers["bars"]
    roles = ", ".join(f"{role} {span(bar[role]['value'] for bar in bars)}" for role in ROLES)
    rescaled = span(bar["student_scaled"]["value"] for bar in bars)
    worse = sum(bar["student"]["value"] > bar["weak"]["value"] for bar in bars)
    return (
        f"Expected calibration error by role in {len(bars)} settings: {roles}. The student's is larger than its "
        f"teacher's in {worse}; rescaled by temperature it is {rescaled}. {numbers['reading']}"
    )


FIGURES = {
    "yao_calibration": Figure(
        source="yao2025",
        cells=("kl", "digits"),
        caption="Calibration of teacher, student and ceiling; the bound on its change.",
        shows="calibration error by role; its change against the recalled and the proved bound",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
