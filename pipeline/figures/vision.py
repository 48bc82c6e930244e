"""Images: gain against misfit in KL, the gap recovered, what the excess of misfit is made of, and strong models."""

from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.cells import without_controls
from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.gain_against_misfit import axis_limits, square
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_means, over_units, plain, ratio_over_units
from pipeline.summary.images import excess_out_of_reach
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import interval, span

STUDY = "published/vision"
ROWS = ["n_train", "epoch"]
STUDENTS = {
    "soft labels": {"loss": "cross_entropy", "labels": "soft"},
    "hard labels": {"loss": "cross_entropy", "labels": "hard"},
    "reverse KL": {"loss": "reverse_kl", "labels": "soft"},
}
LOOKS: dict[str, dict[str, Any]] = {
    "soft labels": {**drawing.loss_style("cross_entropy")},
    "hard labels": {**drawing.loss_style("cross_entropy"), "markerfacecolor": "white", "markeredgewidth": 0.9},
    "reverse KL": {**drawing.loss_style("reverse_kl")},
}
PARTS = {
    "misfit": "misfit",
    "gain": "gain",
    "gain_wrong": "gain, teacher wrong",
    "gain_right": "gain, teacher right",
    "gain_scaled": "gain, both scaled",
    "gain_reachable": "gain, ceiling as truth",
    "dual_misfit": "dual misfit",
    "dual_gain": "dual gain, same truth",
    "own_dual_misfit": "dual misfit, own images",
    "own_dual_gain": "dual gain, own images",
}
BY_LABELS = {"misfit": "misfit", "gain_reachable": "gain, ceiling as truth", "gain": "gain"}

LINES = {
    "misfit": ("#D55E00", "s"),
    "gain_reachable": ("#0072B2", "^"),
    "gain": (drawing.ROLE_COLOURS["student"], "o"),
}
RUNG_LOOKS = {
    "ceiling_gap": ("ceiling", drawing.ROLE_COLOURS["ceiling"], "D"),
    "accuracy_gain": ("student", drawing.ROLE_COLOURS["student"], "o"),
}


def focus(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells of the representation that has all students."""
    strong = cells.groupby("strong")["n_train"].nunique().idxmax()
    return cells[cells["strong"] == strong]


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Points, accuracies and PGR by weak labels, parts of gain and misfit, and strong models, over seeds."""
    every_rung = tables[STUDY]
    cells = focus(pd.concat([every_rung, controls_of(tables, STUDY)], ignore_index=True))
    final = cells[cells["epoch"] == cells["epoch"].max()]
    last = final[final["n_train"] == final["n_train"].max()]
    real = without_controls(last)
    points = [
        {"student": name, **{key: own[key].to_list() for key in ("gain", "misfit")}}
        for name, own in ((name, _chosen(real, which)) for name, which in STUDENTS.items())
    ]
    control = last[last["control"].notna() & (last["control"] != "teachers_labels")]
    controls = {key: control[key].to_list() for key in ("gain", "misfit")}
    recovered = [
        {"weak": weak, "student": name, **_by_labels(own, settings)}
        for name in ("soft labels", "hard labels")
        for weak, own in _ordered(_chosen(without_controls(final), STUDENTS[name]))
    ]
    soft = _chosen(real, STUDENTS["soft labels"])
    parts = [{"weak": weak, **{part: _mean(own, part, settings) for part in PARTS}} for weak, own in _ordered(soft)]
    taught = without_controls(_chosen(final, STUDENTS["soft labels"]))
    middle = parts[len(parts) // 2]["weak"]
    along = [
        {"n_train": int(count), **{part: _mean(own, part, settings) for part in BY_LABELS}}
        for count, own in taught[taught["weak"] == middle].groupby("n_train")
    ]
    every, apart = (_mean(soft, name, settings) for name in ("gain", "misfit"))
    reached = [excess_out_of_reach(own) for _, own in soft.groupby("seed")]
    share = over_units("excess_out_of_reach", reached, settings.confidence, _shared())
    reading = (
        f"Soft labels, mean over teachers: gain {interval(plain(every))}, misfit {interval(plain(apart))} nats; of "
        f"what lies between them {interval(plain(share))} is gone where the best head on true labels stands for the "
        "truth. The strong model's pretraining saw ImageNet's labels, some of the same classes."
    )
    shown = pd.concat([real, control])
    return plain(
        {
            "reading": reading,
            "confidence": settings.confidence,
            "points": points,
            "controls": controls,
            "limits": axis_limits(shown["gain"], shown["misfit"]),
            "recovered": recovered,
            "parts": parts,
            "along": {"weak": middle, "rows": along},
            "rungs": _rungs(every_rung, settings),
        }
    )


def _rungs(cells: pd.DataFrame, settings: Intervals) -> list[Numbers]:
    """By strong model, the highest ceiling last: accuracies above the teacher, gain and misfit, means over teachers."""
    taught = _chosen(without_controls(cells), STUDENTS["soft labels"])
    taught = taught[taught["n_train"] == taught["n_train"].max()]
    taught = taught[taught["epoch"] == taught.groupby("strong")["epoch"].transform("max")]
    above = {"accuracy_gain": "student_accuracy", "ceiling_gap": "ceiling_accuracy"}
    taught = taught.assign(**{name: taught[column] - taught["weak_accuracy"] for name, column in above.items()})
    order = taught.groupby("strong")["ceiling_accuracy"].mean().sort_values().index
    columns = (*RUNG_LOOKS, "gain", "misfit")
    own = {strong: taught[taught["strong"] == strong] for strong in order}
    return [{"strong": name, **{key: _mean(rows, key, settings) for key in columns}} for name, rows in own.items()]


def _shared() -> float:
    return overlap(STUDY, "seed")


def _chosen(cells: pd.DataFrame, which: dict[str, str]) -> pd.DataFrame:
    for column, value in which.items():
        cells = cells[cells[column] == value]
    return cells


def _ordered(cells: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """By teacher, the weakest first."""
    order = cells.groupby("weak")["weak_accuracy"].mean().sort_values().index
    return [(weak, cells[cells["weak"] == weak]) for weak in order]


def _mean(cells: pd.DataFrame, column: str, settings: Intervals) -> Any:
    return over_means(column, cells, column, settings.confidence, _shared())


def _by_labels(cells: pd.DataFrame, settings: Intervals) -> Numbers:
    """PGR by the number of weak labels: a ratio of means over seeds, where the ceiling beats the teacher."""
    found: Numbers = {"n_train": [], "pgr": []}
    for count, own in cells.groupby("n_train"):
        by_seed = own.groupby("seed")[["weak_accuracy", "student_accuracy", "ceiling_accuracy"]].mean()
        gained = (by_seed["student_accuracy"] - by_seed["weak_accuracy"]).to_list()
        gap = (by_seed["ceiling_accuracy"] - by_seed["weak_accuracy"]).to_list()
        if over_units("gap", gap, settings.confidence, _shared()).low > 0:
            found["n_train"].append(int(count))
            found["pgr"].append(ratio_over_units(gained, gap, settings.confidence, _shared()))
    return found


def draw(numbers: Numbers) -> Picture:
    """Gain against misfit; PGR by weak labels; parts by teacher; parts by weak labels; strong models."""
    figure, grid = plt.subplots(3, 2, figsize=(drawing.WIDTH, 8.8), height_ratios=(1, 1, 0.75))
    _points(grid[0, 0], numbers)
    _recovered(grid[0, 1], numbers["recovered"])
    _parts(grid[1, 0], numbers["parts"])
    _along(grid[1, 1], numbers["along"])
    _strong(grid[2, 0], numbers["rungs"], RUNG_LOOKS)
    grid[2, 0].set(xlabel="accuracy above the teacher's")
    grid[2, 0].set_title("e  by strong model", fontweight="bold")
    _strong(grid[2, 1], numbers["rungs"], {name: (BY_LABELS[name], *LINES[name]) for name in ("misfit", "gain")})
    grid[2, 1].set(xlabel="nats")
    grid[2, 1].set_title("f  gain and misfit", fontweight="bold")
    return figure


def _strong(axes: Axes, rows: list[Numbers], looks: dict[str, tuple[str, str, str]]) -> None:
    """A line a strong model, an interval a quantity."""
    axes.axvline(0, color=drawing.INK, linewidth=0.8, zorder=1)
    for place, (name, (label, colour, marker)) in enumerate(looks.items()):
        look = {"color": colour, "marker": marker}
        for line, row in enumerate(rows):
            drawing.horizontal_interval(axes, line + 0.2 * (place - (len(looks) - 1) / 2), row[name], **look)
        axes.plot([], [], linestyle="none", markersize=4.5, label=label, **look)
    axes.set_yticks(range(len(rows)), [row["strong"] for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.legend(loc="upper left", labelspacing=0.2)


def _points(axes: Axes, numbers: Numbers) -> None:
    axes.plot(
        numbers["controls"]["gain"],
        numbers["controls"]["misfit"],
        linestyle="none",
        **{"color": drawing.FAINT, "marker": "X", "markersize": 4.5, "markeredgewidth": 0, "label": "controls"},
    )
    for row in numbers["points"]:
        look = {"markersize": 4, "markeredgewidth": 0, **LOOKS[row["student"]]}
        axes.plot(row["gain"], row["misfit"], linestyle="none", label=row["student"], **look)
    square(axes, numbers["limits"])
    axes.set(xlabel="gain  KL(t, w) − KL(t, s)  (nats)", ylabel="misfit  KL(s, w)  (nats)")
    axes.set_title("a  gain against misfit", fontweight="bold")
    axes.legend(loc="best", handletextpad=0.2, labelspacing=0.25)


def _recovered(axes: Axes, rows: list[Numbers]) -> None:
    names = list(dict.fromkeys(row["weak"] for row in rows))
    colours = drawing.ladder_colours({"rungs": names})
    axes.axhline(0, color=drawing.INK, linewidth=0.8, zorder=1)
    for row in rows:
        place, hard = names.index(row["weak"]), row["student"] == "hard labels"
        look: dict[str, Any] = {"color": colours[place], "marker": drawing.SEED_MARKERS[place]}
        if hard:
            look |= {"markerfacecolor": "white", "markeredgewidth": 0.9}
        shift = 1.03 ** (2 * place - 2 + 1 * hard)
        x = [count * shift for count in row["n_train"]]
        axes.plot(
            x, [one["value"] for one in row["pgr"]], color=look["color"], linewidth=0.9, linestyle="--" if hard else "-"
        )
        for one, estimate in zip(x, row["pgr"], strict=True):
            drawing.vertical_interval(axes, one, estimate, **look)
        if not hard:
            axes.plot([], [], linestyle="none", markersize=4.5, label=f"{row['weak'].split('-')[1]} labels", **look)
    axes.plot([], [], color=drawing.SOFT, linestyle="--", label="hard labels")
    counts = sorted({count for row in rows for count in row["n_train"]})
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count}" for count in counts])
    axes.minorticks_off()
    axes.set(xlabel="weak labels n", ylabel="performance gap recovered")
    axes.set_title("b  by weak labels and teacher", fontweight="bold")
    axes.legend(title="teacher of", labelspacing=0.2)


def _parts(axes: Axes, rows: list[Numbers]) -> None:
    colours = drawing.ladder_colours({"rungs": rows})
    axes.axvline(0, color=drawing.INK, linewidth=0.8, zorder=1)
    for place, row in enumerate(rows):
        look = {"color": colours[place], "marker": drawing.SEED_MARKERS[place]}
        for line, part in enumerate(PARTS):
            drawing.horizontal_interval(axes, line + 0.2 * (place - (len(rows) - 1) / 2), row[part], **look)
    axes.set_yticks(range(len(PARTS)), list(PARTS.values()))
    axes.invert_yaxis()
    axes.set(xlabel="nats")
    axes.set_title("c  what they are made of", fontweight="bold")


def _along(axes: Axes, along: Numbers) -> None:
    axes.axhline(0, color=drawing.INK, linewidth=0.8, zorder=1)
    counts = [row["n_train"] for row in along["rows"]]
    for part, label in BY_LABELS.items():
        colour, marker = LINES[part]
        drawing.band(axes, counts, [row[part] for row in along["rows"]], color=colour, marker=marker, label=label)
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count}" for count in counts])
    axes.minorticks_off()
    axes.set(xlabel="weak labels n", ylabel="nats")
    axes.set_title(f"d  teacher of {along['weak'].split('-')[1]} labels", fontweight="bold")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.3 * (high - low))  # room for the legend
    axes.legend(loc="upper right", labelspacing=0.2)


def words(numbers: Numbers) -> str:
    """Spans of the scatter, and by teacher gain, its parts and the gap recovered."""
    texts = []
    for row in numbers["parts"]:
        texts.append(
            f"teacher {row['weak']}: misfit {interval(row['misfit'])}, gain {interval(row['gain'])}, of which "
            f"{interval(row['gain_wrong'])} where it is wrong, {interval(row['gain_right'])} where it is right; with "
            f"the ceiling as truth {interval(row['gain_reachable'])}"
        )
    gains, misfits = ([value for row in numbers["points"] for value in row[key]] for key in ("gain", "misfit"))
    return (
        f"Scatter of misfit against gain with the line on which both are equal: gain {span(gains)}, misfit "
        f"{span(misfits)} nats. {'; '.join(texts)}. {numbers['reading']}"
    )


FIGURES = {
    "vision": Figure(
        source="mulgund2025",
        cells=(STUDY,),
        caption="CIFAR-10: convolutional networks teach linear heads on an EfficientNet-Lite whose pretraining saw "
        "ImageNet's labels. Gain against misfit, the gap recovered, what the excess of misfit is made of, and other "
        "strong models (side of images in pixels; -block: the last block is trained, too; -100: of 1,280 features; "
        "random: not pretrained). Dual: both arguments of each divergence exchanged. In panel a controls near the line "
        "at the right are students of a random function.",
        shows="images: gain against misfit, the gap recovered, why misfit exceeds gain",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
