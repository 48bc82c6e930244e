"""Figure 2 d-f of Charikar et al.: misfit against gain on a molecule set, for each weak model and split."""

from collections.abc import Iterator
from functools import partial
from itertools import cycle
from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from pipeline.core.config import Intervals
from pipeline.core.errors import InputError
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.gain_against_misfit import GAIN, MISFIT, SCATTER, axis_limits, square
from pipeline.summary.estimates import over_units, plain, ratio_over_units
from pipeline.summary.statistics import gain_over_misfit
from pipeline.summary.tables import Tables
from pipeline.summary.words import DATASETS, number, written

STUDY = "published/molecules_study"
GPU_STUDY = "published/molecules_gpu"  # at the papers' size
# The paper's protocol first, as far as it is known: it is the figure; the others stand beside it.
PROTOCOLS = (("adamw", "same"), ("adamw", "half"), ("ball", "same"), ("ball", "half"))
LADDERS = {"smiles": "SMILES transformers", "morgan": "Morgan counts"}
MEASURED = ("gain", "misfit", "weak_error", "student_error", "ceiling_error")
LETTERS = {"esol": "d", "freesolv": "e", "lipop": "f"}
HEADS = {"adamw": "AdamW", "ball": "ball"}
INPUTS = {"same": "same molecules", "half": "other half"}
SIZES = {"smiles": "hidden size", "morgan": "Morgan bits"}
FILLED = ("smiles",)  # ladders whose points are filled; the control's are open
STUDIES = {"study": ("*", 5.5, "finetuned teachers (study)"), "gpu_study": ("P", 5.0, "papers' size (GPU)")}
LARGEST_TICKS = 4
TITLE_ROOM = (0, 0, 1, 0.985)  # the layout gives the title above a square panel too little


def numbers(dataset: str, tables: Tables, settings: Intervals) -> Numbers:
    """Numbers of one data set: every rung of both ladders by split, and its mean over splits with an interval."""
    cells = full_labels(tables["molecules"]).query("dataset == @dataset")
    groups = [_protocol(member, head, inputs, settings) for head, inputs, member in _protocols(cells)]
    if not groups:
        raise InputError(
            f"results/molecules/cells.csv has no cell of {dataset}; name it under molecules.data.datasets "
            "in params.yaml and run `dvc repro`"
        )
    study = tables.get(STUDY)
    published = [] if study is None else _published(study, dataset, settings)
    large = [] if GPU_STUDY not in tables else _published(_finetuned(tables[GPU_STUDY]), dataset, settings)
    return plain(
        {
            "dataset": dataset,
            "reading": _reading(groups[0]),
            "confidence": settings.confidence,
            "limits": _limits([*groups, *published, *large]),
            "protocols": groups,
            "study_published": study is not None,
            "study": published,
            **({"gpu_study": large} if large else {}),
        }
    )


def _published(study: pd.DataFrame, dataset: str, settings: Intervals) -> list[Numbers]:
    cells = full_labels(study).query("dataset == @dataset")
    return [_protocol(member, head, inputs, settings) for head, inputs, member in _protocols(cells)]


def _finetuned(cells: pd.DataFrame) -> pd.DataFrame:
    """The teachers that the laptop's study has too; that on a GPU also has frozen ones."""
    return cells[cells["training"] == "finetuned"]


def full_labels(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells whose teacher saw all labels of its training part; the others belong to the low-sample figure."""
    return cells[cells["regime"] == "full"]


def _protocols(cells: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for head, inputs in PROTOCOLS:
        member = cells[(cells["head"] == head) & (cells["inputs"] == inputs)]
        if len(member):
            yield head, inputs, member


def _protocol(cells: pd.DataFrame, head: str, inputs: str, settings: Intervals) -> Numbers:
    ladders = []
    for name in LADDERS:
        member = cells[cells["ladder"] == name]
        rungs = [_rung(group, int(size), settings.confidence) for size, group in member.groupby("weak_size")]
        if rungs:
            ratios = [gain_over_misfit(group) for _, group in member.groupby("split")]
            ratio = over_units("gain_over_misfit", ratios, settings.confidence)
            ladders.append({"ladder": name, "label": LADDERS[name], "rungs": rungs, "gain_over_misfit": ratio})
    return {"head": head, "inputs": inputs, "ladders": ladders}


def _rung(cells: pd.DataFrame, size: int, confidence: float) -> Numbers:
    # Seeds of pretraining are averaged within a split, so that the interval is over splits alone.
    splits = cells.groupby("split")[list(MEASURED)].mean()
    over_splits = {name: over_units(name, splits[name].to_list(), confidence) for name in MEASURED}
    over_splits["gain_over_misfit"] = ratio_over_units(splits["gain"], splits["misfit"], confidence)
    return {
        "size": size,
        "splits": splits.reset_index()[["split", "gain", "misfit"]].to_dict("records"),
        "over_splits": over_splits,
    }


def _limits(groups: list[Numbers]) -> dict[str, tuple[float, float]]:
    points = [
        point for group in groups for ladder in group["ladders"] for rung in ladder["rungs"] for point in rung["splits"]
    ]
    return axis_limits([point["gain"] for point in points], [point["misfit"] for point in points])


def _reading(protocol: Numbers) -> str:
    texts = [f"{ladder['label']} {written(plain(ladder['gain_over_misfit']))}" for ladder in protocol["ladders"]]
    splits = len(protocol["ladders"][0]["rungs"][0]["splits"])
    return f"Mean gain / mean misfit over {splits} splits: {', '.join(texts)}."


def draw(numbers: Numbers) -> Picture:
    """Large: the paper's protocol.  Beside: the others.  Below: ratio and errors by size of the weak model."""
    figure = plt.figure(figsize=(drawing.WIDTH, 6.6), layout=ConstrainedLayoutEngine(rect=TITLE_ROOM))
    grid = figure.add_gridspec(6, 3, width_ratios=[1, 1, 0.95])
    main, *others = numbers["protocols"]
    _large(figure.add_subplot(grid[:4, :2]), main, numbers)
    for row, protocol in enumerate(others):
        small = figure.add_subplot(grid[2 * row : 2 * row + 2, 2])
        square(small, numbers["limits"])
        _points(small, protocol, size=3)
        small.set_title(f"{HEADS[protocol['head']]}, {INPUTS[protocol['inputs']]}")
        lowest = row == len(others) - 1
        small.set(ylabel="misfit", xlabel="gain" if lowest else "")
        small.tick_params(labelbottom=lowest)
    _ratios(figure.add_subplot(grid[4:, 0]), main)
    _errors(figure.add_subplot(grid[4:, 1]), main, drawing.UNITS[numbers["dataset"]])
    figure.legend(handles=_key(numbers), loc="outside lower center", ncols=4, handletextpad=0.1, columnspacing=1.2)
    return figure


def _large(axes: Axes, main: Numbers, numbers: Numbers) -> None:
    square(axes, numbers["limits"])
    _points(axes, main, size=3)
    _means(axes, main)
    for name, (marker, size, _) in STUDIES.items():
        for protocol in numbers.get(name, [])[:1]:
            _points(axes, protocol, size=size, marker=marker)
    unit, dataset = drawing.UNITS[numbers["dataset"]], numbers["dataset"]
    axes.set(xlabel=f"{GAIN}   [{unit}]", ylabel=f"{MISFIT}   [{unit}]")
    kind = f"{HEADS[main['head']]}, {INPUTS[main['inputs']]}"
    axes.set_title(f"{LETTERS[dataset]}  {DATASETS[dataset]}: {kind}", fontweight="bold")


def _points(axes: Axes, protocol: Numbers, size: float, marker: str | None = None) -> None:
    """One point a weak model and split."""
    for ladder in protocol["ladders"]:
        for rung, colour in zip(ladder["rungs"], drawing.ladder_colours(ladder), strict=True):
            face = colour if ladder["ladder"] in FILLED else "none"
            for own, point in zip(cycle(drawing.SPLIT_MARKERS), rung["splits"], strict=False):
                look = {"marker": marker or own, "markersize": size, "markerfacecolor": face, "markeredgewidth": 0.7}
                axes.plot(point["gain"], point["misfit"], color=colour, alpha=0.6, zorder=2, **look)


def _means(axes: Axes, protocol: Numbers) -> None:
    """Mean over splits of every weak model, with its intervals over splits."""
    for ladder in protocol["ladders"]:
        for rung, colour in zip(ladder["rungs"], drawing.ladder_colours(ladder), strict=True):
            gain, misfit = rung["over_splits"]["gain"], rung["over_splits"]["misfit"]
            if gain["low"] is not None:
                line = {"color": colour, "linewidth": 0.8, "zorder": 1.5, "alpha": 0.5}
                axes.plot([gain["low"], gain["high"]], [misfit["value"]] * 2, **line)
                axes.plot([gain["value"]] * 2, [misfit["low"], misfit["high"]], **line)
            edge, face = ("white", colour) if ladder["ladder"] in FILLED else (colour, "white")
            look = {"markeredgecolor": edge, "markerfacecolor": face, "markeredgewidth": 1.2, "zorder": 4}
            axes.plot(gain["value"], misfit["value"], marker="o", markersize=7, **look)


def _key(numbers: Numbers) -> list[Line2D]:
    """Sizes of the weak models by colour, splits and studies by marker."""
    found = []
    for ladder in numbers["protocols"][0]["ladders"]:
        rungs, colours = ladder["rungs"], drawing.ladder_colours(ladder)
        for place in sorted({0, len(rungs) // 2, len(rungs) - 1}):
            face = colours[place] if ladder["ladder"] in FILLED else "white"
            look = {"marker": "o", "markersize": 5.5, "color": colours[place], "markerfacecolor": face}
            found.append((f"{SIZES[ladder['ladder']]} {rungs[place]['size']}", look))
    splits = numbers["protocols"][0]["ladders"][0]["rungs"][0]["splits"]
    for marker, point in zip(cycle(drawing.SPLIT_MARKERS), splits, strict=False):
        found.append((f"split {point['split']}", {"marker": marker, "markersize": 3.5, "color": drawing.SOFT}))
    for name, (marker, size, label) in STUDIES.items():
        if numbers.get(name):
            found.append((label, {"marker": marker, "markersize": size, "color": drawing.SOFT}))
    return [Line2D([], [], linestyle="none", label=label, **look) for label, look in found]


def _ratios(axes: Axes, main: Numbers) -> None:
    """Gain over misfit by size, solid for SMILES and dashed for the control."""
    drawn = []
    for ladder in main["ladders"]:
        filled = ladder["ladder"] in FILLED
        colour = drawing.INK if filled else drawing.SOFT
        line = {"linestyle": "-" if filled else "--", "markerfacecolor": colour if filled else "white"}
        _by_size(axes, ladder, "gain_over_misfit", marker="o", color=colour, **line)
        drawn += [rung["over_splits"]["gain_over_misfit"]["value"] for rung in ladder["rungs"]]
    axes.axhline(1, color=drawing.INK, linewidth=0.8, zorder=1)
    axes.set(xlabel="hidden size / Morgan bits", ylabel="gain / misfit")
    axes.set_ylim(min(0, *drawn) - 1, max(1, *drawn) + 1)
    _sizes(axes)


def _errors(axes: Axes, main: Numbers, unit: str) -> None:
    """Errors of teacher, student and ceiling by size; the control's are left out."""
    for ladder in (ladder for ladder in main["ladders"] if ladder["ladder"] in FILLED):
        for role, line in {"weak": "-", "student": "-", "ceiling": ":"}.items():
            _by_size(axes, ladder, f"{role}_error", label=role, linestyle=line, **drawing.role_style(role))
    axes.set(xlabel="hidden size", ylabel=f"error  [{unit}]")
    above: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 0.98), "borderpad": 0}
    axes.legend(handlelength=1.2, ncols=3, columnspacing=0.9, **above)
    _sizes(axes)


def _by_size(axes: Axes, ladder: Numbers, quantity: str, **style: Any) -> None:
    """A quantity by size of the weak model: mean over splits with its intervals."""
    sizes = [rung["size"] for rung in ladder["rungs"]]
    values = [rung["over_splits"][quantity] for rung in ladder["rungs"]]
    axes.plot(sizes, [value["value"] for value in values], markersize=4, **style)
    for size, value in zip(sizes, values, strict=True):
        drawing.vertical_interval(axes, size, value, color=style["color"], markersize=0)


def _sizes(axes: Axes) -> None:
    """Powers of two along x, no more than have room."""
    axes.set(xscale="log")
    first, last = axes.get_xlim()
    drawn = [size for size in (8, 16, 32, 64, 128, 256, 512) if first <= size <= last]
    drawn = drawn[::2] if len(drawn) > LARGEST_TICKS else drawn
    axes.set_xticks(drawn, [str(size) for size in drawn])
    axes.minorticks_off()


def words(numbers: Numbers) -> str:
    """Both ladders from their smallest to their largest rung, and finetuned teachers."""
    frozen = " ".join(_told(ladder) for ladder in numbers["protocols"][0]["ladders"])
    study = numbers["study"][0]["ladders"] if numbers["study"] else []
    finetuned = "".join(
        f" Teachers finetuned whole, {ladder['label']}: gain / misfit {written(ladder['gain_over_misfit'])}."
        for ladder in study
    )
    return f"{SCATTER}; means over splits. {frozen}{finetuned}"


def _told(ladder: Numbers) -> str:
    ends = " to ".join(
        f"size {rung['size']}: gain {number(rung['over_splits']['gain']['value'])}, "
        f"misfit {number(rung['over_splits']['misfit']['value'])}"
        for rung in (ladder["rungs"][0], ladder["rungs"][-1])
    )
    return f"{ladder['label']}, from {ends}; gain / misfit {written(ladder['gain_over_misfit'])}."


def _figure(dataset: str, caption: str) -> Figure:
    shows = f"gain against misfit on {DATASETS[dataset]}, students on a frozen molecular model"
    return Figure("charikar2024", ("molecules",), caption, shows, partial(numbers, dataset), draw, words)


FIGURES = {
    "charikar_fig2d": _figure("esol", "Figure 2d, ESOL: aqueous solubility."),
    "charikar_fig2e": _figure("freesolv", "Figure 2e, FreeSolv: hydration free energy."),
    "charikar_fig2f": _figure("lipop", "Figure 2f, Lipophilicity: octanol/water distribution."),
}
