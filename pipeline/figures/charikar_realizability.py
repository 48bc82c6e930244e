"""When does gain equal misfit?  gain/misfit of panel b against what the strong representation cannot reach."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from scipy import stats

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.estimates import over_tasks, over_units, plain
from pipeline.summary.statistics import epsilon_over_weak_error, pooled_rho
from pipeline.summary.tables import Tables
from pipeline.summary.words import number
from pipeline.theory.bounds import gain_over_misfit

STUDY = "published/realizability"
RHOS = (0.1, 0.3, 1.0)  # lines 1 - 2 rho sqrt(epsilon / misfit); 1 is the explicit bound
STROKES = (":", "--", "-")  # of those lines
SCHEDULES = {"sequential": ("o", "-", 0.95), "joint": ("s", "--", 1.05)}  # marker, line, shift along x
MARKERS = {schedule: marker for schedule, (marker, _, _) in SCHEDULES.items()}
RATIO = "mean gain / mean misfit"
AGAINST = {
    "epsilon_over_weak_error": ("what is out of reach", "ε / weak error"),
    "rho": ("how it correlates", "ρ"),
    "epsilon_over_misfit": ("the explicit bound", "ε / misfit"),
}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Points of the main cells and of the study, their means over seeds by schedule and epochs, and the bound."""
    main = tables["synthetic"].query("panel == 'pretrained'")
    main = main[(main["head"] == main["head"].iloc[0]) & (main["inputs"] == main["inputs"].iloc[0])]
    points = [_point(cells, "main", int(seed), settings) for seed, cells in main.groupby("seed")]
    grid = _grid(tables[STUDY], settings) if STUDY in tables else []
    found = {
        "reading": _reading(points, grid),
        "study_published": STUDY in tables,
        "confidence": settings.confidence,
        "main": points,
        "grid": grid,
        "over_seeds": _over_seeds(grid, settings.confidence),
        "curves": _curves([*points, *grid]),
    }
    return plain(found)


def _grid(study: pd.DataFrame, settings: Intervals) -> list[Numbers]:
    return [
        {"schedule": schedule, "epochs": int(epochs), **_point(cells, f"{schedule}-{epochs}", int(seed), settings)}
        for (schedule, epochs, seed), cells in study.groupby(["schedule", "epochs", "seed"])
    ]


def _point(cells: pd.DataFrame, name: str, seed: int, settings: Intervals) -> Numbers:
    return {
        "seed": seed,
        "gain_over_misfit": over_tasks("gain_over_misfit", cells, f"realizability.{name}.{seed}", settings),
        "epsilon_over_weak_error": epsilon_over_weak_error(cells),
        "epsilon_over_misfit": float(cells["epsilon"].mean() / cells["misfit"].mean()),
        "rho": pooled_rho(cells),
    }


def _over_seeds(grid: list[Numbers], confidence: float) -> list[Numbers]:
    ratios: dict[tuple[str, int], list[float]] = {}
    for point in grid:
        ratios.setdefault((point["schedule"], point["epochs"]), []).append(point["gain_over_misfit"].value)
    return [
        {"schedule": schedule, "epochs": epochs, **over_units("gain_over_misfit", values, confidence)._asdict()}
        for (schedule, epochs), values in sorted(ratios.items(), reverse=True)
    ]


def _curves(points: list[Numbers]) -> Numbers:
    highest = max(point["epsilon_over_misfit"] for point in points)
    reach = np.linspace(0, 1.05 * highest, 200)
    return {
        "epsilon_over_misfit": reach,
        "lines": [{"rho": rho, "gain_over_misfit": gain_over_misfit(rho, reach, np.ones_like(reach))} for rho in RHOS],
    }


def _reading(points: list[Numbers], grid: list[Numbers]) -> str:
    every = grid or points
    reach, ratios = zip(
        *((point["epsilon_over_weak_error"], point["gain_over_misfit"].value) for point in every), strict=True
    )
    source = (
        f"{len(grid)} pretrainings of the study" if grid else f"{len(points)} seeds; the study is not published yet"
    )
    if len(every) < 3:
        return f"{source}."
    ranks = stats.spearmanr(reach, ratios).statistic
    return f"Rank correlation of gain / misfit with epsilon / weak error {ranks:.2f} over {source}."


def draw(numbers: Numbers) -> Picture:
    """By epochs where the study is published, and against epsilon / weak error, rho, epsilon / misfit."""
    study = pd.json_normalize(numbers["grid"])
    shape = (1, 3) if study.empty else (2, 2)
    figure, grid = plt.subplots(*shape, figsize=(drawing.WIDTH, 2.8 * shape[0]))
    panels = list(grid.flat)
    if not study.empty:
        _by_epochs(panels[0], numbers["over_seeds"])
    for axes, (quantity, (title, label)) in zip(panels[-3:], AGAINST.items(), strict=True):
        _study(axes, study, quantity)
        _seeds(axes, numbers["main"], quantity)
        axes.set(xlabel=label, ylabel=RATIO)
        axes.set_title(title, fontweight="bold")
    _bound(panels[-1], numbers["curves"])
    _keys(panels[-3], panels[-2], study)
    for letter, axes in zip("abcd", panels, strict=False):
        axes.axhline(1, color=drawing.INK, linewidth=0.8, zorder=1)
        axes.set_title(f"{letter}  {axes.get_title(loc='left')}", fontweight="bold")
    return figure


def _shades(epochs: Iterable[int]) -> dict[int, Any]:
    """Light to dark with the number of pretraining epochs."""
    steps = sorted(set(epochs))
    return dict(zip(steps, seaborn.color_palette(drawing.EPOCHS, len(steps) + 2)[2:], strict=True))


def _by_epochs(axes: Axes, means: list[Numbers]) -> None:
    """Mean over seeds with its interval over seeds, by schedule."""
    shades = _shades(mean["epochs"] for mean in means)
    for schedule, (marker, line, shift) in SCHEDULES.items():
        row = sorted((mean for mean in means if mean["schedule"] == schedule), key=lambda mean: mean["epochs"])
        places, values = [mean["epochs"] * shift for mean in row], [mean["value"] for mean in row]
        axes.plot(places, values, color=drawing.SOFT, linestyle=line, marker=marker, markersize=5, label=schedule)
        for place, mean in zip(places, row, strict=True):
            drawing.vertical_interval(axes, place, mean, color=shades[mean["epochs"]], marker=marker, markersize=5)
    axes.set(xscale="log", xlabel="epochs of strong pretraining", ylabel=RATIO)
    axes.set_xticks(list(shades), [f"{epochs:,}" for epochs in shades])
    axes.minorticks_off()
    axes.legend(title="steps over the tasks", alignment="left")
    axes.set_title("mean over seeds", fontweight="bold")


def _study(axes: Axes, study: pd.DataFrame, quantity: str) -> None:
    """gain/misfit of every seed of the study against one quantity, in grey."""
    if study.empty:
        return
    shades = _shades(study["epochs"])
    ends = (study[f"gain_over_misfit.{end}"] for end in ("low", "high"))
    axes.vlines(study[quantity], *ends, colors=study["epochs"].map(shades).to_list(), linewidth=0.8, zorder=2)
    look = {"hue": "epochs", "palette": shades, "style": "schedule", "markers": MARKERS, "s": 14, "linewidth": 0}
    seaborn.scatterplot(study, x=quantity, y="gain_over_misfit.value", ax=axes, zorder=3, legend=False, **look)


def _seeds(axes: Axes, seeds: list[Numbers], quantity: str) -> None:
    """The same of the main pipeline, in colour."""
    styles = drawing.seed_styles(seed["seed"] for seed in seeds)
    for seed in seeds:
        look = {"markersize": 5.5, "markeredgewidth": 0.8, "markeredgecolor": drawing.INK}
        look |= styles[seed["seed"]]
        drawing.vertical_interval(axes, seed[quantity], seed["gain_over_misfit"], **look)


def _bound(axes: Axes, curves: Numbers) -> None:
    """The explicit bound, and the lines that smaller correlations give."""
    lines = []
    for line, stroke in zip(curves["lines"], STROKES, strict=True):
        label = f"ρ = {line['rho']:g}" + (" (bound)" if line["rho"] == 1 else "")
        look = {"color": drawing.HIGHLIGHT, "linestyle": stroke, "zorder": 1}
        lines += axes.plot(curves["epsilon_over_misfit"], line["gain_over_misfit"], label=label, **look)
    axes.legend(handles=lines)


def _keys(grey: Axes, coloured: Axes, study: pd.DataFrame) -> None:
    """Which shade is how many epochs, in one panel; which colour is which seed, in another."""
    compact: dict[str, Any] = {"alignment": "left", "handletextpad": 0.1, "labelspacing": 0.25}
    coloured.legend(title="main pipeline", **compact)
    if not study.empty:
        look: dict[str, Any] = {"marker": "o", "linestyle": "none", "markersize": 4, "markeredgewidth": 0}
        shades = _shades(study["epochs"]).items()
        marks = [Line2D([], [], color=shade, label=f"{epochs:,} epochs", **look) for epochs, shade in shades]
        grey.legend(handles=marks, title="study", loc="upper right", bbox_to_anchor=(1, 0.97), **compact)


def words(numbers: Numbers) -> str:
    """Each seed of the experiment; means of the study by schedule and length of pretraining."""
    seeds = "; ".join(
        f"seed {seed['seed']}: {number(seed['gain_over_misfit']['value'])} at {number(seed['epsilon_over_weak_error'])}"
        for seed in numbers["main"]
    )
    study = "; ".join(
        f"{row['schedule']}, {row['epochs']} epochs: {number(row['value'])}" for row in numbers["over_seeds"]
    )
    text = f"Gain / misfit against what is out of reach, relative to the teacher's error. {seeds}. {numbers['reading']}"
    return f"{text} Mean gain / misfit of the study: {study}." if study else text


FIGURES = {
    "charikar_realizability": Figure(
        source="charikar2024",
        cells=("synthetic", STUDY),
        caption="When gain equals misfit: gain / misfit over seeds, pretraining epochs and schedules.",
        shows="when does gain equal misfit, and why?",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
