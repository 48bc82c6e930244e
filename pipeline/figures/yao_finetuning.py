"""A language model finetuned whole on weak labels, measured along training (Yao et al. 2025), with controls.

Shades are intervals over seeds.  Seeds share the test rows, so what is said of gain and loss has intervals that add the
luck of these rows to that of the seeds (estimates.over_units_and_rows).
"""

from collections.abc import Callable, Iterable
from functools import partial

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.language_models import along, mean, stated
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_units_and_rows, plain
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import number, written

STUDIES = {
    "yao_finetuning": ("published/finetuning", "SST-2"),
    "yao_finetuning_sciq": ("published/finetuning_sciq", "SciQ"),
}
ROWS = {
    "student_accuracy": "accuracy",
    "student_ece": "ECE",
    "copied": "share of teacher's\nerrors copied",
    "disagreement": "disagreement\nwith teacher",
}
LEVELS = {"student_accuracy": "accuracy", "student_ece": "ece"}  # that teacher and ceiling have, too
EARLY = 1.0  # epoch with which the last one is compared, chosen beforehand
LOOK = {
    "soft": {"color": drawing.ROLE_COLOURS["student"], "marker": "o", "label": "student, soft labels"},
    "hard": {"color": "#882255", "marker": "s", "linestyle": "--", "label": "student, hard labels"},
}
GREY = {
    "teachers_labels": {"marker": "v", "linestyle": "-", "label": "control: on teacher's own labels"},
    "itself": {"marker": "D", "linestyle": "-", "label": "control: taught by itself"},
    "shuffled": {"marker": "^", "linestyle": "--", "label": "control: shuffled labels"},
    "random": {"marker": "X", "linestyle": ":", "label": "control: random teacher"},
}
STOP = "stop on weak validation (mean)"
TEACHER = {"color": drawing.ROLE_COLOURS["weak"], "linewidth": 1.0, "linestyle": "-.", "label": "teacher"}
CEILING = {"color": drawing.ROLE_COLOURS["ceiling"], "linewidth": 1.0, "label": "ceiling (true labels)"}


def numbers(study: str, tables: Tables, settings: Intervals) -> Numbers:
    """Measures along training by teacher, kind of labels and control; gain at the end, and what is lost since early."""
    cells = tables[study]
    controls = controls_of(tables, study)
    groups = [_group(own, settings, study) for own in _members(cells)]
    grey = [_group(own, settings, study) for own in _members(controls)]
    followed = cells[cells["panel"] == "along"]
    ceilings = along(followed, "epoch", [f"ceiling_{name}" for name in LEVELS.values()], settings, study)
    found = {"groups": groups, "controls": grey, "ceiling": ceilings, "reading": _reading(groups)}
    return plain({**stated(cells, settings), **found})


def _members(cells: pd.DataFrame) -> Iterable[pd.DataFrame]:
    """Cells of each teacher, kind of labels and control, teachers in the order of the table."""
    return [own for _, own in cells.fillna({"control": ""}).groupby(["weak", "labels", "control"], sort=False)]


def _group(cells: pd.DataFrame, settings: Intervals, study: str) -> Numbers:
    shared = settings.confidence, overlap(study, "seed")
    followed, stopped = (cells[cells["panel"] == panel] for panel in ("along", "stopped"))
    stop = {} if stopped.empty else {"stopped_accuracy": mean(stopped, "student_accuracy", settings, study)}
    first = cells.iloc[0]
    last = followed[followed["epoch"] == followed["epoch"].max()]
    early = followed[followed["epoch"] == EARLY]
    lost = early.set_index("seed")["student_accuracy"] - last.set_index("seed")["student_accuracy"]
    gain = last["student_accuracy"] - last["weak_accuracy"]
    return {
        **{name: first[name] for name in ("weak", "labels", "control")},
        **along(followed, "epoch", ROWS, settings, study),
        **{f"weak_{name}": mean(followed, f"weak_{name}", settings, study) for name in LEVELS.values()},
        "gain": over_units_and_rows(gain.to_list(), last["gain_row_error"].iloc[0], *shared),
        "lost": over_units_and_rows(lost.to_list(), early["change_row_error"].iloc[0], *shared),
        "stops": stopped["epoch"].to_list(),
        **stop,
    }


def _reading(groups: list[Numbers]) -> str:
    soft = [group for group in groups if group["labels"] == "soft"]
    gains, losses = ([group[name] for group in soft] for name in ("gain", "lost"))
    above, fallen = (sum(one.low > 0 for one in some) for some in (gains, losses))
    return (
        f"On soft labels {above} of {len(soft)} students end surely above their teacher, and {fallen} surely lose "
        f"accuracy from epoch {EARLY:g} to the last."
    )


def draw(numbers: Numbers) -> Picture:
    """A column a teacher and one for controls; accuracy, ECE, copied errors and disagreement along training."""
    teachers = list(dict.fromkeys(group["weak"] for group in numbers["groups"]))
    apart = [group for group in numbers["controls"] if group["control"] != "teachers_labels"]
    columns = len(teachers) + bool(apart)
    figure, grid = plt.subplots(len(ROWS), columns, figsize=(drawing.WIDTH, 6.9), sharex=True, squeeze=False)
    for column, weak in zip(grid.T, teachers, strict=False):
        own = [
            group for group in numbers["controls"] if group["weak"] == weak and group["control"] == "teachers_labels"
        ]
        _column(column, own, numbers)
        _column(column, [group for group in numbers["groups"] if group["weak"] == weak], numbers)
        _levels(column, next(group for group in numbers["groups"] if group["weak"] == weak))
        column[0].set_title(f"teacher: {weak}")
    if apart:
        _column(grid[:, -1], apart, numbers)
        grid[0, -1].set_title("controls")
    for axes, label in zip(grid[:, 0], ROWS.values(), strict=True):
        axes.set_ylabel(label)
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
        axes.set_xticks(numbers["ceiling"]["epochs"])
    for axes in grid.flat:  # nothing here is negative, whatever a symmetric interval says
        axes.set_ylim(bottom=max(axes.get_ylim()[0], 0))
    _legend(figure, grid[0])
    return figure


def _column(column: Iterable[Axes], groups: list[Numbers], numbers: Numbers) -> None:
    """Curves of some students down a column, the ceiling, and a star where weak validation stops."""
    for axes, quantity in zip(column, ROWS, strict=True):
        for group in groups:
            _curve(axes, group, quantity)
        if quantity in LEVELS:
            values = [estimate["value"] for estimate in numbers["ceiling"][f"ceiling_{LEVELS[quantity]}"]]
            axes.plot(numbers["ceiling"]["epochs"], values, **CEILING)
        if quantity == "student_accuracy":
            for group in groups:
                _stop(axes, group)


def _curve(axes: Axes, group: Numbers, quantity: str) -> None:
    """A student with its interval; a control, which has fewer seeds, without."""
    if group["control"]:
        values = [estimate["value"] for estimate in group[quantity]]
        look = {"color": drawing.SOFT, "markersize": 3.5, "markeredgewidth": 0, **GREY[group["control"]]}
        axes.plot(group["epochs"], values, **look)
    else:
        drawing.band(axes, group["epochs"], group[quantity], **LOOK[group["labels"]])


def _levels(column: Iterable[Axes], group: Numbers) -> None:
    for axes, quantity in zip(column, ROWS, strict=True):
        if quantity in LEVELS:
            axes.axhline(group[f"weak_{LEVELS[quantity]}"]["value"], **TEACHER)


def _stop(axes: Axes, group: Numbers) -> None:
    """At the mean epoch of the stops, the mean accuracy there."""
    if group["control"]:
        return
    look = {"color": drawing.HIGHLIGHT, "markersize": 8, "markeredgewidth": 0, "zorder": 4}
    epoch = sum(group["stops"]) / len(group["stops"])
    axes.plot(epoch, group["stopped_accuracy"]["value"], "*", label=STOP, **look)


def _legend(figure: Picture, row: Iterable[Axes]) -> None:
    """One legend from all panels of a row: students, what they are measured against, controls."""
    found = {}
    for axes in row:
        handles, labels = axes.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    order = [str(look["label"]) for look in (*LOOK.values(), TEACHER, CEILING, {"label": STOP}, *GREY.values())]
    shown = {label: found[label] for label in order if label in found}
    figure.legend(shown.values(), shown.keys(), loc="outside upper center", ncols=3, columnspacing=1.2)


def words(name: str, numbers: Numbers) -> str:
    """By teacher and kind of labels: accuracy of the teacher, at the first look, the early epoch and the last."""
    texts = []
    for group in numbers["groups"]:
        accuracy = dict(zip(group["epochs"], group["student_accuracy"], strict=True))
        along_ = ", ".join(f"{number(accuracy[epoch]['value'])} at epoch {epoch:g}" for epoch in sorted(accuracy))
        level, gain, lost = (
            number(group["weak_accuracy"]["value"]),
            written(group["gain"], 3),
            written(group["lost"], 3),
        )
        who = f"{group['weak']}, {group['labels']} labels"
        change = f"gain at the end {gain}, lost since epoch {EARLY:g} {lost}"
        texts.append(f"{who}: teacher {level}, student {along_}; {change}.")
    top = numbers["ceiling"]["ceiling_accuracy"][-1]["value"]
    return f"{name}, SmolLM2-135M finetuned whole, ceiling {number(top)}. {' '.join(texts)} {numbers['reading']}"


def _figure(study: str, name: str) -> Figure:
    count: Callable[[Tables, Intervals], Numbers] = partial(numbers, study)
    return Figure(
        source="yao2025",
        cells=(study,),
        caption=f"{name}: a language model finetuned whole on weak labels, measured along training. tfidf-n: a teacher "
        "that counts words and has learned from n true labels; minilm-n: one on a small sentence encoder. Shades: "
        "intervals over seeds. Star: mean epoch and accuracy where weak validation would stop.",
        shows=f"{name}: gain, calibration and inherited errors of a network finetuned whole, along training",
        numbers=count,
        draw=draw,
        words=partial(words, name),
    )


FIGURES = {name: _figure(study, dataset) for name, (study, dataset) in STUDIES.items()}
