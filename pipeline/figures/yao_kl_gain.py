"""Misfit against gain in KL, every task a point, for three students and three panels (Yao et al. 2025)."""

import pandas as pd
import seaborn
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.gain_against_misfit import square
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.statistics import correlation, epsilon_over_weak_error, gain_over_misfit
from pipeline.summary.tables import Tables
from pipeline.summary.words import written
from pipeline.summary.yao_students import PANELS, STUDENTS, of, solved
from pipeline.theory.intervals import Estimate

NAMES = {
    ("mixture", "reverse_kl"): "convex class, reverse KL",
    ("softmax", "reverse_kl"): "softmax-linear, reverse KL",
    ("softmax", "cross_entropy"): "softmax-linear, cross-entropy",
}
CLASSES = {"mixture": "convex class", "softmax": "softmax-linear"}
HEADING = {"x": 0.005, "ha": "left", "fontsize": 8.5, "fontweight": "bold"}
SHADES = {"realizable": drawing.INK, "pretrained": drawing.SOFT, "perturbed": "#9a9a9a"}  # colours are for seeds
MARKERS = {"realizable": "o", "pretrained": "s", "perturbed": "^"}
MEASURED = {
    "reverse": ("gain  KL(t, w) − KL(t, s)", "misfit  KL(s, w)"),
    "forward": ("gain  KL(w, t) − KL(s, t)", "misfit  KL(w, s)"),
}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Gain and misfit of every task by student and panel; their ratio over seeds, for cross-entropy in both ways."""
    cells = solved(tables["kl"])
    panels = [_panel(cells, panel, student, settings) for student in STUDENTS for panel in PANELS]
    first = panels[0]["gain_over_misfit"]["reverse"]
    reading = f"Convex class that holds the truth: mean gain / mean misfit {written(plain(first))} over seeds."
    return plain({"reading": reading, "confidence": settings.confidence, "panels": panels})


def _panel(cells: pd.DataFrame, panel: str, student: tuple[str, str, str], settings: Intervals) -> Numbers:
    family, loss, direction = student
    chosen = cells[cells["panel"] == panel]
    own = of(chosen, family, loss, direction)
    kind = {"class": family, "loss": loss, "direction": direction, "panel": panel}
    cells = {name: of(chosen, family, loss, name) for name in ("reverse", "forward")}
    ratios = {name: _ratio(some, settings) for name, some in cells.items() if len(some)}
    seeds = [
        {
            "seed": int(seed),
            "gain": member["gain"].to_list(),
            "misfit": member["misfit"].to_list(),
            "correlation": correlation(member),
            "gain_over_misfit": gain_over_misfit(member),
            "epsilon_over_weak_kl": epsilon_over_weak_error(member),
        }
        for seed, member in own.groupby("seed")
    ]
    return {**kind, "gain_over_misfit": ratios, "seeds": seeds, "limits": _limits(own)}


def _ratio(cells: pd.DataFrame, settings: Intervals) -> Estimate:
    ratios = [gain_over_misfit(member) for _, member in cells.groupby("seed")]
    return over_units("gain_over_misfit", ratios, settings.confidence)


def _limits(cells: pd.DataFrame) -> dict[str, list[float]]:
    highest = float(cells[["gain", "misfit"]].to_numpy().max()) * 1.05
    lowest = min(0.0, float(cells["gain"].min()))
    margin = 0.03 * highest  # both axes span the same, so that every panel is a square
    return {"gain": [lowest - margin, highest], "misfit": [-margin, highest - lowest]}


def draw(numbers: Numbers) -> Picture:
    """A row a student, a column a panel; below, the ratio against what the class cannot reach."""
    figure = plt.figure(figsize=(drawing.WIDTH, 9.6))
    *rows, last = figure.subfigures(4, 1, height_ratios=[1.1, 1, 1, 0.9])
    for part, student in zip(rows, NAMES, strict=True):
        part.suptitle(NAMES[student], **HEADING)
        panels = [panel for panel in numbers["panels"] if (panel["class"], panel["loss"]) == student]
        for axes, panel in zip(part.subplots(1, len(panels)), panels, strict=True):
            _cloud(axes, panel)
    seeds = rows[0].axes[0].get_legend_handles_labels()
    rows[0].legend(*seeds, loc="outside upper right", ncols=len(seeds[0]), markerscale=2, handletextpad=0.1)
    last.suptitle("gain / misfit of every seed", **HEADING)
    for axes, student in zip(last.subplots(1, len(NAMES), sharey=True), NAMES, strict=True):
        panels = [panel for panel in numbers["panels"] if (panel["class"], panel["loss"]) == student]
        _ratios(axes, panels, legend=axes is last.axes[0])
        axes.set_title(NAMES[student])
    last.axes[0].legend(loc="lower left", handletextpad=0.1, labelspacing=0.3)
    return figure


def _cloud(axes: Axes, panel: Numbers) -> None:
    square(axes, panel["limits"])
    styles = drawing.seed_styles(seed["seed"] for seed in panel["seeds"])
    for seed in panel["seeds"]:
        look = {"markersize": 2.2, "markeredgewidth": 0, "alpha": 0.6, **styles[seed["seed"]]}
        axes.plot(seed["gain"], seed["misfit"], linestyle="none", **look)
    x, y = MEASURED[panel["direction"]]
    axes.set(xlabel=x, ylabel=y)
    axes.locator_params(nbins=4)
    axes.set_title(f"{panel['panel']} {written(panel['gain_over_misfit'][panel['direction']])}", fontsize=8)


def _ratios(axes: Axes, panels: list[Numbers], legend: bool) -> None:
    """A mark a seed: gain over misfit against the share of the weak risk that the best student keeps."""
    seeds = pd.DataFrame([{"panel": panel["panel"], **seed} for panel in panels for seed in panel["seeds"]])
    look = {"hue": "panel", "palette": SHADES, "style": "panel", "markers": MARKERS, "s": 25, "linewidth": 0}
    seaborn.scatterplot(seeds, x="epsilon_over_weak_kl", y="gain_over_misfit", ax=axes, legend=legend, **look)
    axes.axhline(1, **drawing.EQUAL)
    axes.set(xlabel="ε / KL(t, w)", ylabel="gain / misfit", ylim=(min(0, seeds["gain_over_misfit"].min()), 1.1))


def words(numbers: Numbers) -> str:
    """Ratio of gain to misfit in each of the small scatters, and how far the points reach."""
    texts = []
    for drawn in numbers["panels"]:
        points = sum(len(seed["gain"]) for seed in drawn["seeds"])
        kind = f"{CLASSES[drawn['class']]}, {drawn['loss'].replace('_', ' ')}, {drawn['panel']}"
        texts.append(f"{kind}: {written(drawn['gain_over_misfit'][drawn['direction']])} over {points} tasks")
    return f"Scatters of misfit against gain in KL; gain / misfit by student and panel. {'; '.join(texts)}."


FIGURES = {
    "yao_kl_gain": Figure(
        source="yao2025",
        cells=("kl",),
        caption="Gain against misfit in KL: three students, three panels.",
        shows="gain against misfit in KL, convex and softmax-linear students",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
