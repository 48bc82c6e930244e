"""Figure 2 a-c of Charikar et al.: misfit against gain over tasks, for each seed, head and choice of inputs."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.core.errors import InputError
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.gain_against_misfit import GAIN, MISFIT, SCATTER, axis_limits, square
from pipeline.summary.estimates import over_tasks, over_units, plain
from pipeline.summary.statistics import STATISTICS
from pipeline.summary.tables import Tables
from pipeline.summary.words import number, span, written

# The authors' protocol first: it is the figure; the others stand beside it.
PROTOCOLS = (("adamw", "reused"), ("adamw", "fresh"), ("exact", "reused"), ("exact", "fresh"))
DRAWN = ("correlation", "gain_over_misfit")
LISTED = (
    "mean_gain",
    "mean_misfit",
    "share_misfit_above_gain",
    "median_gap",
    "epsilon_over_weak_error",
    "pooled_rho",
    "share_above_bound",
)
TITLES = {"realizable": "a  realizable", "pretrained": "b  pretrained", "perturbed": "c  perturbed"}
HEADS = {"adamw": "AdamW", "exact": "exact"}
UNIT = "[label units²]"


def numbers(name: str, tables: Tables, settings: Intervals) -> Numbers:
    """Numbers of one panel: points, per-seed statistics with intervals over tasks, and their mean over seeds."""
    cells = tables["synthetic"]
    chosen = cells[cells["panel"] == name]
    groups = [
        _protocol(chosen[(chosen["head"] == head) & (chosen["inputs"] == inputs)], name, head, inputs, settings)
        for head, inputs in PROTOCOLS
        if ((chosen["head"] == head) & (chosen["inputs"] == inputs)).any()
    ]
    if not groups:
        raise InputError(f"results/synthetic/cells.csv has no cell of panel {name}; run `dvc repro evaluate@synthetic`")
    first = groups[0]
    drawn = chosen[(chosen["head"] == first["head"]) & (chosen["inputs"] == first["inputs"])]
    limits = axis_limits(drawn["gain"], drawn["misfit"])
    for group in groups:
        group["outside"] = sum(_outside(seed, limits) for seed in group["seeds"])
    kind = {"panel": name, "reading": _reading(first), "confidence": settings.confidence}
    return plain({**kind, "limits": limits, "protocols": groups})


def _protocol(cells: pd.DataFrame, name: str, head: str, inputs: str, settings: Intervals) -> Numbers:
    seeds = [
        _seed(member, f"{name}.{head}.{inputs}.{seed}", int(seed), settings) for seed, member in cells.groupby("seed")
    ]
    over_seeds = {
        statistic: over_units(statistic, [_value(seed[statistic]) for seed in seeds], settings.confidence)
        for statistic in (*DRAWN, *LISTED)
        if all(seed[statistic] is not None for seed in seeds)
    }
    return {"head": head, "inputs": inputs, "seeds": seeds, "over_seeds": over_seeds}


def _seed(cells: pd.DataFrame, name: str, seed: int, settings: Intervals) -> Numbers:
    return {
        "seed": seed,
        "tasks": len(cells),
        **{statistic: over_tasks(statistic, cells, name, settings) for statistic in DRAWN},
        **{statistic: _listed(statistic, cells) for statistic in LISTED},
        "gain": cells["gain"].to_list(),
        "misfit": cells["misfit"].to_list(),
    }


def _reading(protocol: Numbers) -> str:
    correlation, ratio = (written(plain(protocol["over_seeds"][statistic])) for statistic in DRAWN)
    seeds = len(protocol["seeds"])
    return f"Correlation of gain and misfit {correlation}, mean gain / mean misfit {ratio}, over {seeds} seeds."


def _listed(statistic: str, cells: pd.DataFrame) -> float | None:
    # rho is empty in the cells where nothing is unreachable (realizable panel).
    return None if statistic == "pooled_rho" and cells["rho"].isna().any() else STATISTICS[statistic](cells)


def _value(statistic: Any) -> float:
    return float(getattr(statistic, "value", statistic))


def _outside(seed: Numbers, limits: dict[str, tuple[float, float]]) -> int:
    beyond = np.zeros(seed["tasks"], dtype=bool)
    for axis, (low, high) in limits.items():
        values = np.asarray(seed[axis])
        beyond |= (values < low) | (values > high)
    return int(beyond.sum())


def draw(numbers: Numbers) -> Picture:
    """Large: the authors' protocol.  Beside: the others.  Below: each seed, and the mean over seeds."""
    figure = plt.figure(figsize=(drawing.WIDTH, 5.6))
    grid = figure.add_gridspec(6, 3, width_ratios=[1, 1, 0.95])
    main, *others = numbers["protocols"]
    large = figure.add_subplot(grid[:4, :2])
    looks = _looks(main)
    _scatter(large, main, numbers["limits"], 15, looks)
    large.set(xlabel=f"{GAIN}   {UNIT}", ylabel=f"{MISFIT}   {UNIT}")
    large.set_title(f"{TITLES[numbers['panel']]}: {_described(main)}", fontweight="bold")
    large.legend(loc="lower right", handletextpad=0.1, labelspacing=0.3)
    for row, protocol in enumerate(others):
        small = figure.add_subplot(grid[2 * row : 2 * row + 2, 2])
        _scatter(small, protocol, numbers["limits"], 6, looks)
        small.set_title(_described(protocol))
        lowest = row == len(others) - 1
        small.set(ylabel="misfit", xlabel="gain" if lowest else "")
        small.tick_params(labelbottom=lowest)
    _strip(figure.add_subplot(grid[4:, 0]), main, "correlation", "correlation of gain and misfit")
    _strip(figure.add_subplot(grid[4:, 1]), main, "gain_over_misfit", "mean gain / mean misfit")
    return figure


def _described(protocol: Numbers) -> str:
    return f"{HEADS[protocol['head']]}, {protocol['inputs']} inputs"


def _looks(protocol: Numbers) -> dict[int, dict[str, Any]]:
    """Look of each seed; of many seeds, a colour by how near gain comes to misfit, the same everywhere."""
    ratios = {seed["seed"]: seed["gain_over_misfit"]["value"] for seed in protocol["seeds"]}
    styles = drawing.seed_styles(ratios)
    if not drawing.are_many(ratios):
        return styles
    colours = seaborn.color_palette(drawing.LADDER, as_cmap=True)
    shades = {seed: colours(min(max(ratio, 0), 1)) for seed, ratio in ratios.items()}
    return {seed: {**styles[seed], "color": shade, "label": "_"} for seed, shade in shades.items()}


def _scatter(axes: Axes, protocol: Numbers, limits: Numbers, size: float, looks: dict[int, dict[str, Any]]) -> None:
    """One point a task, colour and marker by seed."""
    square(axes, limits)
    for seed in protocol["seeds"]:
        look: dict[str, Any] = {"s": size, "alpha": 0.55, "linewidths": 0, "zorder": 2, **looks[seed["seed"]]}
        axes.scatter(seed["gain"], seed["misfit"], **look)
    if drawing.are_many(looks):
        axes.plot([], [], "o", color=drawing.SOFT, markersize=4, label=f"{len(looks)} seeds, coloured as below right")
    if protocol["outside"]:
        count = sum(seed["tasks"] for seed in protocol["seeds"])
        beyond = f"{protocol['outside']} of {count}\noutside"
        axes.text(0.03, 0.97, beyond, transform=axes.transAxes, va="top", color=drawing.SOFT)


def _strip(axes: Axes, protocol: Numbers, statistic: str, label: str) -> None:
    """Each seed's value with its interval over tasks, many seeds in order; below, the mean with its own over seeds."""
    mean, looks = protocol["over_seeds"][statistic], _looks(protocol)
    many = drawing.are_many(looks)
    seeds = sorted(protocol["seeds"], key=lambda seed: seed[statistic]["value"]) if many else protocol["seeds"]
    last = len(seeds) + (1.4 if many else 0.4)
    for row, seed in enumerate(seeds):
        size = {"markersize": 3.2} if many else {}
        drawing.horizontal_interval(axes, row, seed[statistic], **looks[seed["seed"]], **size)
    drawing.horizontal_interval(axes, last, mean, color=drawing.INK, marker="D")
    axes.axvline(1, color=drawing.INK, linewidth=0.8, zorder=1)
    names = [f"seed {seed['seed']}" for seed in seeds]
    ticks, texts = ([len(seeds) / 2], [f"{len(seeds)} seeds"]) if many else (list(range(len(seeds))), names)
    axes.set_yticks([*ticks, last], [*texts, "mean"])
    axes.set(ylim=(last + (1.2 if many else 0.6), -0.8), xlabel=label)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=4)
    axes.set_title(written(mean), loc="right", color=drawing.SOFT)


def words(numbers: Numbers) -> str:
    """Range of the cloud, slope and correlation of each seed, the other protocols."""
    main, *others = numbers["protocols"]
    seeds, over = main["seeds"], main["over_seeds"]
    each = "; ".join(
        f"seed {seed['seed']}: {number(seed['gain_over_misfit']['value'])} and {number(seed['correlation']['value'])}"
        for seed in seeds
    )
    beside = "; ".join(
        f"{HEADS[other['head']]} on {other['inputs']} inputs {written(other['over_seeds']['gain_over_misfit'])}"
        for other in others
        if "gain_over_misfit" in other["over_seeds"]
    )
    text = (
        f"{SCATTER}: {sum(s['tasks'] for s in seeds)} tasks, {len(seeds)} seeds; "
        f"gain {span(v for s in seeds for v in s['gain'])}, misfit {span(v for s in seeds for v in s['misfit'])}. "
        f"Gain / misfit and correlation: {each}; mean over seeds {written(over['gain_over_misfit'])} "
        f"and {written(over['correlation'])}."
    )
    return f"{text} Smaller scatters, gain / misfit: {beside}." if beside else text


def _figure(name: str, caption: str, shows: str) -> Figure:
    return Figure("charikar2024", ("synthetic",), caption, shows, partial(numbers, name), draw, words)


FIGURES = {
    "charikar_fig2a": _figure(
        "realizable",
        "Figure 2a, realizable: the strong representation is the true one.",
        "gain against misfit, realizable: the strong representation is the true one",
    ),
    "charikar_fig2b": _figure(
        "pretrained",
        "Figure 2b, pretrained: weak and strong representations are both learned.",
        "gain against misfit, pretrained: both representations are learned",
    ),
    "charikar_fig2c": _figure(
        "perturbed",
        "Figure 2c, perturbed: both representations are noisy copies of the true one.",
        "gain against misfit, perturbed: both are noisy copies of the true one",
    ),
}
