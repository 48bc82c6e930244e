"""Look of every figure, one meaning per colour, and saving that gives the same bytes each time.

Colours and markers differ together, so that every figure can be read in grey.
"""

from collections.abc import Iterable, Sized
from pathlib import Path
from typing import Any

import matplotlib
import seaborn
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

WIDTH = 7.0  # inches: two columns of a page; text is at least 8 points at this size
INK, SOFT, FAINT = "#1a1a1a", "#6b6b6b", "#c8c8c8"
HIGHLIGHT = "#C1272D"
EQUAL = {"color": INK, "linewidth": 0.8, "linestyle": (0, (5, 2)), "zorder": 1}  # where two quantities are equal
# Seeds: Okabe and Ito's colours for the colour-blind.  Splits: one marker each.
SEED_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#7A5C00", "#8172B3")
SEED_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
SPLIT_MARKERS = ("o", "s", "^", "D", "v")
ROLE_COLOURS = {"weak": "#A6611A", "student": "#01665E", "ceiling": INK}
ROLE_MARKERS = {"weak": "s", "student": "o", "ceiling": "D"}
# Losses: from Tol's schemes, unlike the seeds; a loss that is not here is grey.
LOSSES = {
    "cross_entropy": {"color": "#332288", "marker": "o"},
    "reverse_kl": {"color": "#DDAA33", "marker": "s"},
    "reverse_cross_entropy": {"color": "#117733", "marker": "^"},
    "jensen_shannon": {"color": "#AA4499", "marker": "D"},
    "squared_hellinger": {"color": "#66CCEE", "marker": "v"},
    "confidence": {"color": "#882255", "marker": "P"},
}
LADDER = "viridis_r"  # light to dark with the size of a weak model
EPOCHS = "Greys"  # light to dark with the length of pretraining
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.labelsize": 8.5,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.title_fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": SOFT,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    **{f"{axis}tick.{rank}.size": size for axis in "xy" for rank, size in (("major", 3), ("minor", 1.5))},
    **{f"{axis}tick.{rank}.width": 0.7 for axis in "xy" for rank in ("major", "minor")},
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "lines.linewidth": 1.1,
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "pdf.fonttype": 42,
    "figure.constrained_layout.use": True,
    "axes.axisbelow": True,
}
PROPER = {"kl": "KL", "jensen": "Jensen", "shannon": "Shannon", "hellinger": "Hellinger", "jeffreys": "Jeffreys"}
UNITS = {"esol": "log(mol/L)²", "freesolv": "(kcal/mol)²", "lipop": "log D²"}


def use_style() -> None:
    """The same look whatever the user's own matplotlibrc says."""
    matplotlib.rcdefaults()
    matplotlib.use("agg")
    seaborn.set_theme(context="paper", style="ticks", palette=SEED_COLOURS, font="DejaVu Sans", rc=STYLE)


def save(drawn: Figure, path: Path) -> Path:
    """PDF and PNG at a path without its ending, which is then closed; no date, no version, so always the same bytes."""
    pdf, png = (path.with_suffix(suffix) for suffix in (".pdf", ".png"))
    drawn.savefig(pdf, metadata={"CreationDate": None, "Creator": None, "Producer": None})
    drawn.set_layout_engine("none")  # it stays where the PDF has put it
    drawn.savefig(png, metadata={"Software": None})
    plt.close(drawn)
    return png


def seed_style(seed: int) -> dict[str, str]:
    """Colour and marker of a seed, the same in every figure."""
    return {"color": SEED_COLOURS[seed % len(SEED_COLOURS)], "marker": SEED_MARKERS[seed % len(SEED_MARKERS)]}


def are_many(seeds: Sized) -> bool:
    """Whether there are more seeds than colours to tell them apart."""
    return len(seeds) > len(SEED_COLOURS)


def seed_styles(seeds: Iterable[int]) -> dict[int, dict[str, str]]:
    """Colour, marker and label of each seed; more seeds than there are colours look alike, under one label."""
    seeds = list(seeds)
    if not are_many(seeds):
        return {seed: {**seed_style(seed), "label": f"seed {seed}"} for seed in seeds}
    alike = {seed: {**seed_style(0), "label": "_"} for seed in seeds}
    return alike | {seeds[0]: {**seed_style(0), "label": f"{len(seeds)} seeds"}}


def role_style(role: str) -> dict[str, str]:
    """Colour and marker of teacher, student or ceiling."""
    return {"color": ROLE_COLOURS[role], "marker": ROLE_MARKERS[role]}


def loss_style(loss: str) -> dict[str, str]:
    """Colour and marker of a loss."""
    return LOSSES.get(loss, {"color": SOFT, "marker": "o"})


def spoken(name: str) -> str:
    """A name from the cells as a reader writes it: `reverse_kl` is reverse KL."""
    words = " ".join(PROPER.get(word, word) for word in name.split("_"))
    return words.replace("cross entropy", "cross-entropy").replace("Jensen Shannon", "Jensen–Shannon")


def ladder_colours(ladder: dict[str, Any]) -> list[Any]:
    """One colour a rung, light to dark with the size of the weak model."""
    return seaborn.color_palette(LADDER, len(ladder["rungs"]))


def legend_above(figure: FigureBase, axes: Axes, columns: int) -> None:
    """One legend for all panels, from the labels of one; a label that stands there twice is listed once."""
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    figure.legend(once.values(), once.keys(), loc="outside upper center", ncols=columns, columnspacing=1.4)


def horizontal_interval(axes: Axes, y: float, estimate: dict[str, Any], **style: Any) -> None:
    """A value with its interval along x; an interval over one unit has no ends and is left out."""
    if estimate["low"] is not None and estimate["high"] is not None:
        axes.plot([estimate["low"], estimate["high"]], [y, y], color=style["color"], linewidth=1.2, zorder=2)
    axes.plot(estimate["value"], y, linestyle="none", zorder=3, **{"markersize": 4.5, "markeredgewidth": 0, **style})


def vertical_interval(axes: Axes, x: float, estimate: dict[str, Any], **style: Any) -> None:
    """The same along y."""
    if estimate["low"] is not None and estimate["high"] is not None:
        axes.plot([x, x], [estimate["low"], estimate["high"]], color=style["color"], linewidth=0.8, zorder=2)
    axes.plot(x, estimate["value"], linestyle="none", zorder=3, **{"markersize": 4.5, "markeredgewidth": 0, **style})


def band(axes: Axes, x: Iterable[float], values: list[dict[str, Any]], alpha: float = 0.15, **line: Any) -> None:
    """A curve with its intervals as a shade."""
    axes.plot(x, [value["value"] for value in values], **{"markersize": 3.5, "markeredgewidth": 0, **line})
    if all(value["low"] is not None for value in values):
        low, high = ([value[end] for value in values] for end in ("low", "high"))
        axes.fill_between(x, low, high, color=line["color"], alpha=alpha, linewidth=0)
