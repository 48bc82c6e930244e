"""Figure 2 d-f of Charikar et al.: misfit against gain on a molecule set, by weak model; and what controls say."""

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
from pipeline.summary.estimates import plain
from pipeline.summary.splits import over_splits, ratio_over_splits
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import DATASETS, number, written

STUDY = "published/molecules_study"
GPU_STUDY = "published/molecules_gpu"  # at the papers' size
# Head and inputs.  The large panel first: the teacher has never seen the student's molecules, as in every control.
PROTOCOLS = (("ball", "half"), ("ball", "same"), ("adamw", "same"), ("adamw", "half"))
RECALLED = ("adamw", "same")  # the paper's protocol as far as it is known; that of the studies
LADDERS = {"smiles": "SMILES transformers", "morgan": "Morgan counts"}
ERRORS = ("weak_error", "student_error", "ceiling_error")
MEASURED = ("gain", "misfit", *ERRORS)
LETTERS = {"esol": "d", "freesolv": "e", "lipop": "f"}
HEADS = {"adamw": "AdamW", "ball": "ridge"}
INPUTS = {"same": "same molecules", "half": "other half"}
PANELS = {"random": "random splits", "chembench": "ChemBench"}
SHORT = {"random": "random", "chembench": "ChemBench"}  # where there is little room
SIZES = {"smiles": "hidden size", "morgan": "Morgan bits"}
FILLED = ("smiles",)  # ladders whose points are filled; the control's are open
STUDIES = {"study": ("*", 5.5, "finetuned teachers (study)"), "gpu_study": ("P", 5.0, "papers' size (GPU)")}
TEACHERS = {
    "": "SMILES ladder",
    "shuffled": "shuffled labels",
    "constant": "mean of labels",
    "other_task": "other data set's",
    "random": "random function",
    "itself": "itself",
    "teachers_labels": "its true labels",
}
LEAST_MISFIT = 0.002  # of the variance of the truth; a ratio over less is noise over noise
LARGEST_TICKS = 4
ABOVE: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 0.98), "borderpad": 0}
TITLE_ROOM = (0, 0, 1, 0.985)  # the layout gives the title above a square panel too little


def numbers(dataset: str, tables: Tables, settings: Intervals) -> Numbers:
    """Numbers of one data set: every rung of both ladders, its mean over splits with an interval, and the controls."""
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
    controls = controls_of(tables, "molecules").query("dataset == @dataset")
    return plain(
        {
            "dataset": dataset,
            "reading": _reading(groups[0]),
            "confidence": settings.confidence,
            "limits": _limits([*groups, *published, *large]),
            "protocols": groups,
            "teachers": _teachers(cells, full_labels(controls), settings.confidence),
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
    """Cells whose teacher saw all labels of its training part; the others belong to the low-sample figure.

    Studies published before there were random splits call ChemBench's panel `pretrained`.
    """
    full = cells[cells["regime"] == "full"]
    return full.assign(panel=full["panel"].replace("pretrained", "chembench"))


def _protocols(cells: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for head, inputs in PROTOCOLS:
        member = cells[(cells["head"] == head) & (cells["inputs"] == inputs)]
        if len(member):
            yield head, inputs, member


def _protocol(cells: pd.DataFrame, head: str, inputs: str, settings: Intervals) -> Numbers:
    """Means are over the random splits where there are any, else over ChemBench's, whose points are drawn anyway."""
    panel = "random" if (cells["panel"] == "random").any() else "chembench"
    chosen, ladders = cells[cells["panel"] == panel], []
    for name in LADDERS:
        member, marked = (table[table["ladder"] == name] for table in (chosen, cells[cells["panel"] == "chembench"]))
        rungs = [
            _rung(group, marked[marked["weak_size"] == size], int(size), settings.confidence)
            for size, group in member.groupby("weak_size")
        ]
        if rungs:
            means = member.groupby("split")[["gain", "misfit"]].mean()
            shares = member["gain"].gt(0).groupby(member["split"]).mean()
            ladders.append(
                {
                    "ladder": name,
                    "label": LADDERS[name],
                    "rungs": rungs,
                    "gain_over_misfit": ratio_over_splits(means["gain"], means["misfit"], settings.confidence),
                    "share_positive_gain": over_splits(shares, settings.confidence),
                }
            )
    splits = sorted(cells.loc[cells["panel"] == "chembench", "split"].unique().tolist())
    return {"head": head, "inputs": inputs, "panel": panel, "splits": splits, "ladders": ladders}


def _rung(cells: pd.DataFrame, marked: pd.DataFrame, size: int, confidence: float) -> Numbers:
    # Seeds of pretraining are averaged within a split, so that the interval is over splits alone.
    own = [f"train_{name}" for name in ("gain", "misfit") if f"train_{name}" in cells]
    splits = cells.groupby("split")[[*MEASURED, *own]].mean()
    found = {name: over_splits(splits[name], confidence) for name in MEASURED}
    found["gain_over_misfit"] = ratio_over_splits(splits["gain"], splits["misfit"], confidence)
    if own and splits[own].notna().all(axis=None):
        found["own_gain_over_misfit"] = ratio_over_splits(splits["train_gain"], splits["train_misfit"], confidence)
    points = marked.groupby("split")[["gain", "misfit"]].mean().reset_index()
    return {"size": size, "splits": points.to_dict("records"), "over_splits": found}


def _teachers(cells: pd.DataFrame, controls: pd.DataFrame, confidence: float) -> list[Numbers]:
    """The ladder of SMILES transformers and the controls: errors over the truth's variance, and gain over misfit.

    All are students of the large panel's protocol on random splits.  Where hardly any misfit is, as under a constant
    teacher, there is no ratio.
    """
    head, inputs = PROTOCOLS[0]
    chosen = cells[(cells["head"] == head) & (cells["inputs"] == inputs) & (cells["ladder"] == "smiles")]
    found = []
    for name, label in TEACHERS.items():
        member = controls[controls["control"] == name] if name else chosen
        splits = member[member["panel"] == "random"].groupby("split")[[*MEASURED, "truth_variance"]].mean()
        if splits.empty:
            continue
        shown = {error: ratio_over_splits(splits[error], splits["truth_variance"], confidence) for error in ERRORS}
        has_misfit = splits["misfit"].mean() > LEAST_MISFIT * splits["truth_variance"].mean()
        ratio = ratio_over_splits(splits["gain"], splits["misfit"], confidence) if has_misfit else None
        found.append({"control": name, "label": label, **shown, "gain_over_misfit": ratio})
    return found


def _limits(groups: list[Numbers]) -> dict[str, tuple[float, float]]:
    """Of all means, and of ChemBench's points as far as they do not lie far out."""
    rungs = [rung for group in groups for ladder in group["ladders"] for rung in ladder["rungs"]]
    points = [point for rung in rungs for point in rung["splits"]]
    points += [{name: rung["over_splits"][name].value for name in ("gain", "misfit")} for rung in rungs]
    return axis_limits([point["gain"] for point in points], [point["misfit"] for point in points])


def _reading(protocol: Numbers) -> str:
    texts = [f"{ladder['label']} {written(plain(ladder['gain_over_misfit']))}" for ladder in protocol["ladders"]]
    splits = protocol["ladders"][0]["gain_over_misfit"].n
    return f"Mean gain / mean misfit over {splits} splits ({PANELS[protocol['panel']]}): {', '.join(texts)}."


def draw(numbers: Numbers) -> Picture:
    """Large: students on fresh molecules.  Beside: the other protocols.  Below: by size of the weak model; controls."""
    figure = plt.figure(figsize=(drawing.WIDTH, 8.4), layout=ConstrainedLayoutEngine(rect=TITLE_ROOM))
    grid = figure.add_gridspec(9, 3, width_ratios=[1, 1, 0.95])
    main, *others = numbers["protocols"]
    _large(figure.add_subplot(grid[:4, :2]), main, numbers)
    for row, protocol in enumerate(others):
        small = figure.add_subplot(grid[2 * row : 2 * row + 2, 2])
        square(small, numbers["limits"])
        _points(small, protocol, size=3)
        _means(small, protocol, size=3.5)
        if (protocol["head"], protocol["inputs"]) == RECALLED:
            _studies(small, numbers)
        small.set_title(f"{HEADS[protocol['head']]}, {protocol['inputs']}, {SHORT[protocol['panel']]}", loc="right")
        lowest = row == len(others) - 1
        small.set(ylabel="misfit", xlabel="gain" if lowest else "")
        small.tick_params(labelbottom=lowest)
    _ratios(figure.add_subplot(grid[4:6, 0]), main)
    _errors(figure.add_subplot(grid[4:6, 1]), main, drawing.UNITS[numbers["dataset"]])
    if numbers["teachers"]:
        errors = figure.add_subplot(grid[6:, :2])
        _control_errors(errors, numbers["teachers"])
        _control_ratios(figure.add_subplot(grid[6:, 2], sharey=errors), numbers["teachers"])
    figure.legend(handles=_key(numbers), loc="outside lower center", ncols=4, handletextpad=0.1, columnspacing=1.2)
    return figure


def _named(protocol: Numbers) -> str:
    return f"{HEADS[protocol['head']]}, {INPUTS[protocol['inputs']]}, {PANELS[protocol['panel']]}"


def _large(axes: Axes, main: Numbers, numbers: Numbers) -> None:
    square(axes, numbers["limits"])
    _points(axes, main, size=3)
    _means(axes, main, size=7)
    if (main["head"], main["inputs"]) == RECALLED:
        _studies(axes, numbers)
    unit, dataset = drawing.UNITS[numbers["dataset"]], numbers["dataset"]
    axes.set(xlabel=f"{GAIN}   [{unit}]", ylabel=f"{MISFIT}   [{unit}]")
    axes.set_title(f"{LETTERS[dataset]}  {DATASETS[dataset]}: {_named(main)}", fontweight="bold")


def _studies(axes: Axes, numbers: Numbers) -> None:
    for name, (marker, size, _) in STUDIES.items():
        for protocol in numbers.get(name, []):
            if (protocol["head"], protocol["inputs"]) == RECALLED:
                _points(axes, protocol, size=size, marker=marker)


def _points(axes: Axes, protocol: Numbers, size: float, marker: str | None = None) -> None:
    """One point a weak model and split."""
    for ladder in protocol["ladders"]:
        for rung, colour in zip(ladder["rungs"], drawing.ladder_colours(ladder), strict=True):
            face = colour if ladder["ladder"] in FILLED else "none"
            for own, point in zip(cycle(drawing.SPLIT_MARKERS), rung["splits"], strict=False):
                look = {"marker": marker or own, "markersize": size, "markerfacecolor": face, "markeredgewidth": 0.7}
                axes.plot(point["gain"], point["misfit"], color=colour, alpha=0.6, zorder=2, **look)


def _means(axes: Axes, protocol: Numbers, size: float) -> None:
    """Mean over splits of every weak model, with its intervals over splits."""
    for ladder in protocol["ladders"]:
        for rung, colour in zip(ladder["rungs"], drawing.ladder_colours(ladder), strict=True):
            gain, misfit = rung["over_splits"]["gain"], rung["over_splits"]["misfit"]
            if gain["low"] is not None:
                line = {"color": colour, "linewidth": 0.8, "zorder": 1.5, "alpha": 0.5}
                axes.plot([gain["low"], gain["high"]], [misfit["value"]] * 2, **line)
                axes.plot([gain["value"]] * 2, [misfit["low"], misfit["high"]], **line)
            edge, face = ("white", colour) if ladder["ladder"] in FILLED else (colour, "white")
            look = {"markeredgecolor": edge, "markerfacecolor": face, "markeredgewidth": size / 6, "zorder": 4}
            axes.plot(gain["value"], misfit["value"], marker="o", markersize=size, **look)


def _key(numbers: Numbers) -> list[Line2D]:
    """Sizes of the weak models by colour, splits and studies by marker."""
    found = []
    for ladder in numbers["protocols"][0]["ladders"]:
        rungs, colours = ladder["rungs"], drawing.ladder_colours(ladder)
        for place in sorted({0, len(rungs) // 2, len(rungs) - 1}):
            face = colours[place] if ladder["ladder"] in FILLED else "white"
            look = {"marker": "o", "markersize": 5.5, "color": colours[place], "markerfacecolor": face}
            found.append((f"{SIZES[ladder['ladder']]} {rungs[place]['size']}", look))
    for marker, split in zip(cycle(drawing.SPLIT_MARKERS), numbers["protocols"][0]["splits"], strict=False):
        found.append((f"ChemBench {split}", {"marker": marker, "markersize": 3.5, "color": drawing.SOFT}))
    for name, (marker, size, label) in STUDIES.items():
        if numbers.get(name):
            found.append((label, {"marker": marker, "markersize": size, "color": drawing.SOFT}))
    return [Line2D([], [], linestyle="none", label=label, **look) for label, look in found]


def _ratios(axes: Axes, main: Numbers) -> None:
    """Gain over misfit of the SMILES ladder by size: on test molecules, and on those the student was fitted on."""
    drawn = []
    looks = {
        "gain_over_misfit": {"color": drawing.INK, "linestyle": "-", "label": "test molecules"},
        "own_gain_over_misfit": {"color": drawing.SOFT, "linestyle": "--", "markerfacecolor": "white", "label": "own"},
    }
    for ladder in (ladder for ladder in main["ladders"] if ladder["ladder"] in FILLED):
        for name, look in looks.items():
            if name in ladder["rungs"][0]["over_splits"]:
                _by_size(axes, ladder, name, marker="o", **look)
                drawn += [rung["over_splits"][name]["value"] for rung in ladder["rungs"]]
    axes.axhline(1, color=drawing.INK, linewidth=0.8, zorder=1)
    axes.axhline(0, color=drawing.FAINT, linewidth=0.8, zorder=0.5)
    axes.set(xlabel="hidden size", ylabel="gain / misfit")
    axes.set_ylim(min(0, *drawn) - 0.6, max(1, *drawn) + 0.6)
    axes.legend(handlelength=1.8, ncols=2, columnspacing=0.9, **ABOVE)
    _sizes(axes)


def _errors(axes: Axes, main: Numbers, unit: str) -> None:
    """Errors of teacher, student and ceiling by size; the control's are left out."""
    for ladder in (ladder for ladder in main["ladders"] if ladder["ladder"] in FILLED):
        for role, line in {"weak": "-", "student": "-", "ceiling": ":"}.items():
            _by_size(axes, ladder, f"{role}_error", label=role, linestyle=line, **drawing.role_style(role))
    axes.set(xlabel="hidden size", ylabel=f"error  [{unit}]")
    axes.legend(handlelength=1.2, ncols=3, columnspacing=0.9, **ABOVE)
    _sizes(axes)


def _control_errors(axes: Axes, teachers: list[Numbers]) -> None:
    """Errors of teacher and student in units of the truth's variance; controls in grey, named at the left."""
    for place, teacher in enumerate(teachers):
        ends = [teacher[f"{role}_error"]["value"] for role in ("weak", "student")]
        axes.plot(ends, [place, place], color=drawing.FAINT, linewidth=2, zorder=1)
        for role in ("weak", "student"):
            look = drawing.role_style(role)
            if teacher["control"]:
                look["color"] = drawing.SOFT
            face = {"markerfacecolor": "white", "markeredgewidth": 1} if role == "weak" else {}
            drawing.horizontal_interval(axes, place, teacher[f"{role}_error"], markersize=5, **look, **face)
    axes.axvline(teachers[0]["ceiling_error"]["value"], color=drawing.INK, linewidth=0.9, linestyle=":", zorder=0.5)
    axes.axvline(1, color=drawing.FAINT, linewidth=0.8, zorder=0.5)
    axes.set(xlabel="error / variance of the truth   (dotted: ceiling)", xscale="log")
    ticks = [tick for tick in (0.05, 0.1, 0.2, 0.5, 1, 2, 5) if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(teachers)), [teacher["label"] for teacher in teachers])
    axes.set_ylim(len(teachers) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_title("taught by   (□ teacher   ● student)")


def _control_ratios(axes: Axes, teachers: list[Numbers]) -> None:
    """Gain over misfit of the same students."""
    for place, teacher in enumerate(teachers):
        if teacher["gain_over_misfit"] is not None:
            colour = drawing.SOFT if teacher["control"] else drawing.ROLE_COLOURS["student"]
            drawing.horizontal_interval(axes, place, teacher["gain_over_misfit"], marker="o", color=colour)
    axes.axvline(1, color=drawing.INK, linewidth=0.8, zorder=1)
    axes.axvline(0, color=drawing.FAINT, linewidth=0.8, zorder=0.5)
    axes.set(xlabel="gain / misfit")
    axes.tick_params(axis="y", length=0, labelleft=False)


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
    """Both ladders from their smallest to their largest rung, the controls, and finetuned teachers."""
    main = numbers["protocols"][0]
    frozen = " ".join(_told(ladder) for ladder in main["ladders"])
    controls = "; ".join(
        f"{teacher['label']} {written(teacher['gain_over_misfit'])}, student's error "
        f"{number(teacher['student_error']['value'])} of the truth's variance"
        for teacher in numbers["teachers"]
        if teacher["gain_over_misfit"] is not None
    )
    study = [ladder for protocol in numbers["study"] for ladder in protocol["ladders"]][:1]
    finetuned = "".join(
        f" Teachers finetuned whole, {ladder['label']}: gain / misfit {written(ladder['gain_over_misfit'])}."
        for ladder in study
    )
    return f"{SCATTER}; means over splits. {frozen} Gain / misfit by teacher: {controls}.{finetuned}"


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
