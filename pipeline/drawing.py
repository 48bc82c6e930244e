"""Look of every figure, one meaning per colour, and saving that gives the same bytes each time.  Used by notebooks/.

Colours and markers differ together, so that every figure can be read in grey.
"""

import json
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 7.0  # inches: two columns of a page; text is at least 8 points at this size
INK, SOFT, FAINT = "#1a1a1a", "#6b6b6b", "#c8c8c8"
# Seeds: Okabe and Ito's colours for the colour-blind.  Splits: one marker each.
SEED_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#7A5C00", "#8172B3")
SEED_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
SPLIT_MARKERS = ("o", "s", "^", "D", "v")
ROLE_COLOURS = {"weak": "#A6611A", "student": "#01665E", "ceiling": INK}
ROLE_MARKERS = {"weak": "s", "student": "o", "ceiling": "D"}
HIGHLIGHT = "#C1272D"
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
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": SOFT,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "lines.linewidth": 1.1,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    "figure.constrained_layout.use": True,
    "axes.axisbelow": True,
}
UNITS = {"esol": "log(mol/L)²", "freesolv": "(kcal/mol)²", "lipop": "log D²"}
GAIN = "gain  d(w, t) − d(s, t)"
MISFIT = "misfit  d(s, w)"


def use_style() -> None:
    """The same look whatever the user's own matplotlibrc says."""
    matplotlib.rcdefaults()
    matplotlib.use("agg")
    plt.rcParams.update(STYLE)


def load(figure: str, folder: str) -> dict[str, Any]:
    """Numbers to draw, as computed by pipeline.figures."""
    return json.loads((Path(folder) / f"{figure}.json").read_text(encoding="utf-8"))


def save(drawn: Figure, figure: str, folder: str) -> None:
    """PDF and PNG beside the numbers; no date, no version, so that the same numbers give the same bytes."""
    for suffix, metadata in {
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        "png": {"Software": None},
    }.items():
        drawn.savefig(Path(folder) / f"{figure}.{suffix}", metadata=metadata)


def seed_style(seed: int) -> dict[str, str]:
    """Colour and marker of a seed, the same in every figure."""
    return {"color": SEED_COLOURS[seed % len(SEED_COLOURS)], "marker": SEED_MARKERS[seed % len(SEED_MARKERS)]}


def ladder_colours(ladder: dict[str, Any]) -> list[Any]:
    """One colour a rung, light to dark with the size of the weak model."""
    last = max(len(ladder["rungs"]) - 1, 1)
    return [plt.get_cmap(LADDER)(0.15 + 0.83 * place / last) for place in range(len(ladder["rungs"]))]


def square(axes: Axes, limits: dict[str, list[float]]) -> None:
    """Gain along x and misfit along y on one scale, with the line gain = misfit."""
    ends = [max(limits["gain"][0], limits["misfit"][0]), limits["gain"][1]]
    axes.plot(ends, ends, color=INK, linewidth=0.8, linestyle=(0, (5, 2)), zorder=1)
    axes.set(xlim=limits["gain"], ylim=limits["misfit"], aspect="equal")


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
