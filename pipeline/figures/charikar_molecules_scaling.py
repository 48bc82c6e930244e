"""Weak labels in plenty on real molecules: does gain come to misfit, and on what level of error?"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.estimates import plain, ratio_over_units
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import DATASETS, number, written

STUDY = "published/molecules_scaling"
OWN, CORPUS, WEIGHTED = "own", "corpus", "weighted"
# Colour, marker and line differ together: the picture is legible in grey.
LOOKS: dict[str, dict[str, Any]] = {
    OWN: {"color": "#01665E", "marker": "o", "linestyle": "-", "label": "molecules of the data set"},
    CORPUS: {"color": "#B35806", "marker": "s", "linestyle": "-", "label": "ChEMBL molecules"},
    WEIGHTED: {"color": "#5E3C99", "marker": "^", "linestyle": (0, (4, 1.5)), "label": "ChEMBL, weighted"},
}
GREY = "#8c8c8c"
CONTROL_LOOKS: dict[str, dict[str, Any]] = {
    "random": {"color": GREY, "marker": "x", "linestyle": "-", "label": "control: random teacher"},
    "shuffled": {"color": GREY, "marker": "+", "linestyle": ":", "label": "control: shuffled labels"},
}
LEVELS = {"weak": ("teachers", (0, (1, 1))), "ceiling": ("strong model on the teacher's labels", (0, (6, 2)))}
SUMS = ("gain", "misfit", "weak_error", "student_error", "ceiling_error", "cross_term", "epsilon", "truth_variance")
LOWEST, HIGHEST = -1.3, 2.1  # of the upper row; what lies lower is marked at the edge
ERRORS = (0.08, 3.0)
END = {"marker": "*", "markersize": 11, "markeredgecolor": "white", "markeredgewidth": 0.8, "zorder": 6}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """By data set: curves over the number of weak labels, teachers pooled; where sample and population are one."""
    cells, controls = tables[STUDY], controls_of(tables, STUDY)
    panels = [_panel(cells, controls, name, settings.confidence) for name in DATASETS if name in set(cells["dataset"])]
    texts = ", ".join(f"{DATASETS[panel['dataset']]} {written(plain(panel['end']['ratio']))}" for panel in panels)
    reading = f"Gain / misfit where the student's sample is the whole population: {texts}."
    return plain({"reading": reading, "confidence": settings.confidence, "panels": panels})


def _panel(cells: pd.DataFrame, controls: pd.DataFrame, name: str, confidence: float) -> Numbers:
    own = cells[cells["dataset"] == name]
    end = own[(own["inputs"] == OWN) & (own["sample"] == "whole")]
    grey = controls[(controls["dataset"] == name) & (controls["inputs"] == OWN)].groupby("control")
    return {
        "dataset": name,
        "auc": own["auc"].iloc[0],
        "curves": {inputs: _curve(member, confidence) for inputs, member in own.groupby("inputs")},
        "controls": {str(control): _curve(member, confidence) for control, member in grey},
        "end": _end(end, confidence),
        "teachers": {str(weak): _end(member, confidence) for weak, member in end.groupby("weak", sort=False)},
        "levels": {role: _over(end, f"{role}_error", "truth_variance", confidence) for role in LEVELS},
    }


def _curve(cells: pd.DataFrame, confidence: float) -> list[Numbers]:
    """Ratio and error at every number of weak labels that all splits have."""
    sizes = cells.groupby("n_train")["split"].nunique()
    return [
        {
            "n": int(size),
            "effective": member["effective"].mean(),
            "freedom_share": (member["freedom"] / member["n_train"]).mean(),
            "ratio": _over(member, "gain", "misfit", confidence),
            "error": _over(member, "student_error", "truth_variance", confidence),
        }
        for size, member in cells.groupby("n_train")
        if sizes[size] == cells["split"].nunique()
    ]


def _end(cells: pd.DataFrame, confidence: float) -> Numbers:
    """The theorem's setting: ratio, what it is made of, and the explicit bound on it."""
    mean = cells[list(SUMS)].mean()
    far = np.sqrt(mean["epsilon"] / mean["misfit"])
    return {
        "n": int(cells["n_train"].iloc[0]),
        "freedom_share": (cells["freedom"] / cells["n_train"]).mean(),
        "ratio": _over(cells, "gain", "misfit", confidence),
        "gain_share": _over(cells, "gain", "weak_error", confidence),
        "misfit_share": _over(cells, "misfit", "weak_error", confidence),
        "root_epsilon_over_misfit": far,
        "rho": mean["cross_term"] / np.sqrt(mean["epsilon"] * mean["misfit"]),
        "bound": 1 - 2 * far,
        "share_positive_gain": (cells["gain"] > 0).mean(),
    }


def _over(cells: pd.DataFrame, above: str, below: str, confidence: float) -> Any:
    """Ratio of two means over splits, teachers averaged within each."""
    splits = cells.groupby("split")[[above, below]].mean()
    ratio = float((cells["n_eval"] / cells["n_teacher"]).iloc[0])
    return ratio_over_units(splits[above], splits[below], confidence, ratio)


def draw(numbers: Numbers) -> Picture:
    """Above: gain over misfit by number of weak labels.  Below: errors on the same molecules."""
    panels = numbers["panels"]
    figure, grid = plt.subplots(
        2, len(panels), figsize=(drawing.WIDTH, 4.7), sharex=True, sharey="row", squeeze=False, height_ratios=[1.25, 1]
    )
    for column, panel in enumerate(panels):
        _ratios(grid[0, column], panel)
        _errors(grid[1, column], panel)
    for axes, label in zip(grid[:, 0], ("gain / misfit", "error / Var(truth)"), strict=True):
        axes.set_ylabel(label)
    figure.supxlabel("weak labels that the student learns from,  n", fontsize=8.5)
    figure.legend(handles=_key(panels), loc="outside upper center", ncols=3, columnspacing=1.6, handlelength=2.4)
    return figure


def _ratios(axes: Axes, panel: Numbers) -> None:
    axes.axhline(1, **drawing.EQUAL)
    axes.axhline(0, color=drawing.FAINT, linewidth=0.8, zorder=0.5)
    for name, curve in panel["controls"].items():
        _line(axes, curve, "ratio", {**CONTROL_LOOKS[name], "markeredgewidth": 1}, alpha=0.0)
    for name, look in LOOKS.items():
        _line(axes, panel["curves"].get(name, []), "ratio", look, alpha=0.14)
    _outside(axes, panel)
    end = panel["end"]
    axes.axhline(end["ratio"]["value"], color=LOOKS[OWN]["color"], linewidth=0.7, linestyle=":", zorder=0.8)
    drawing.vertical_interval(axes, end["n"], end["ratio"], color=LOOKS[OWN]["color"], markersize=0)
    axes.plot(end["n"], end["ratio"]["value"], linestyle="none", color=LOOKS[OWN]["color"], **END)
    axes.set(xscale="log", ylim=(LOWEST, HIGHEST))
    axes.set_title(DATASETS[panel["dataset"]], fontweight="bold")
    axes.set_title(f"AUC {panel['auc']:.3f}", loc="right", color=drawing.SOFT, fontsize=8)


def _outside(axes: Axes, panel: Numbers) -> None:
    """An arrow at the lower edge for what lies below it."""
    for name, look in LOOKS.items():
        for point in panel["curves"].get(name, []):
            if point["ratio"]["value"] < LOWEST:
                axes.plot(point["n"], LOWEST + 0.06, marker="v", markersize=4, color=look["color"], clip_on=False)


def _errors(axes: Axes, panel: Numbers) -> None:
    for role, (_, line) in LEVELS.items():
        axes.axhline(panel["levels"][role]["value"], color=drawing.INK, linewidth=0.9, linestyle=line, zorder=1)
    for name, curve in panel["controls"].items():
        _line(axes, curve, "error", {**CONTROL_LOOKS[name], "markeredgewidth": 1}, alpha=0.0)
    for name, look in LOOKS.items():
        _line(axes, panel["curves"].get(name, []), "error", look, alpha=0.14)
    end = panel["curves"][OWN][-1]
    axes.plot(end["n"], end["error"]["value"], linestyle="none", color=LOOKS[OWN]["color"], **END)
    axes.set(yscale="log", ylim=ERRORS)
    axes.set_yticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
    axes.minorticks_off()


def _line(axes: Axes, curve: list[Numbers], quantity: str, look: dict[str, Any], alpha: float) -> None:
    drawing.band(axes, [point["n"] for point in curve], [point[quantity] for point in curve], alpha=alpha, **look)


def _key(panels: list[Numbers]) -> list[Line2D]:
    own = LOOKS[OWN]["color"]
    found = [Line2D([], [], markersize=4, **look) for look in LOOKS.values()]
    found.append(Line2D([], [], linestyle=":", color=own, label="all of them: the theorem's setting", **END))
    drawn = {name for panel in panels for name in panel["controls"]}
    found += [
        Line2D([], [], markersize=4, markeredgewidth=1, **look) for name, look in CONTROL_LOOKS.items() if name in drawn
    ]
    found.append(Line2D([], [], **drawing.EQUAL, label="gain = misfit"))
    return found + [Line2D([], [], color=drawing.INK, linestyle=line, label=label) for label, line in LEVELS.values()]


def words(numbers: Numbers) -> str:
    """The end of every panel, the corpus, and the level."""
    return " ".join([numbers["reading"], *(_told(panel) for panel in numbers["panels"])])


def _told(panel: Numbers) -> str:
    end, first = panel["end"], panel["curves"][OWN][0]
    text = (
        f"{DATASETS[panel['dataset']]}: from {written(first['ratio'])} with {first['n']} labels to "
        f"{written(end['ratio'])} with all {end['n']}, where the student's head has {number(end['freedom_share'])} "
        f"degrees of freedom a label, misfit is {number(end['misfit_share']['value'])} of the teachers' error, rho "
        f"{number(end['rho'])} and sqrt(epsilon / misfit) {number(end['root_epsilon_over_misfit'])}."
    )
    if CORPUS in panel["curves"]:
        last = panel["curves"][CORPUS][-1]
        text += f" With {last['n']} molecules of the corpus (AUC {number(panel['auc'])}): {written(last['ratio'])}."
    return text


FIGURES = {
    "charikar_molecules_scaling": Figure(
        source="charikar2024",
        cells=(STUDY,),
        caption=(
            "Weak labels in plenty: gain over misfit (above) and errors on the same molecules (below), by the number "
            "of molecules that the teachers label. Measured on all molecules that the teachers did not learn from; at "
            "the star the student learns from just these, so that sample and population are one, the setting of the "
            "theorem. AUC: of a classifier that tells ChEMBL from the data set; its odds are the weights. Teachers: "
            "heads on SMILES transformers, pooled; student: ridge regression on MiniMol; 95 % intervals over "
            "overlapping random splits."
        ),
        shows="gain over misfit as weak labels grow in number, on real molecules",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
