"""Pools of weak teachers off their own domains: accuracy by method, what RAVEN's weights do, and where they fail."""

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import interval

STUDY, IMAGES, TEXTS = (f"published/{name}" for name in ("shift", "shift_images", "shift_preferences"))
METHODS = {
    "single": "single teacher, mean",
    "naive": "naive: random teacher",
    "confidence": "  + confidence loss",
    "adaptive": "  + adaptive α (V-sup)",
    "bootstrapping": "  bootstrapped",
    "uniform": "even ensemble",
    "uniform_confidence": "  + confidence loss",
    "uniform_adaptive": "  + adaptive α (V-sup)",
    "cosupervision": "hierarchical co-supervision",
    "raven": "RAVEN",
    "raven_kl": "RAVEN, entropy subtracted",
    "raven_tempered": "RAVEN, temperatures matched",
}
CONTROLS = {"shuffled": "control: shuffled labels", "constant": "control: constant teacher", "gold": "true labels"}
# Panels of accuracies: study, title, and which cells each marker stands for.
PLACES: tuple[tuple[str, str, dict[str, dict[str, str]]], ...] = (
    (
        STUDY,
        "Gaussians",
        {
            "in their domains": {"panel": "synthetic", "domain": "source"},
            "off them": {"panel": "synthetic", "domain": "shifted"},
            "worst most confident": {"panel": "synthetic", "domain": "confident"},
        },
    ),
    (
        STUDY,
        "digits",
        {"in their domains": {"panel": "images", "shift": "in"}, "off them": {"panel": "images", "shift": "out"}},
    ),
    (IMAGES, "photographs", {"in their domains": {"shift": "in"}, "off them": {"shift": "out"}}),
    (TEXTS, "preferences", {"in their domains": {"shift": "in"}, "off them": {"shift": "out"}}),
)
LOOKS: dict[str, dict[str, Any]] = {
    "in their domains": {"color": "#56B4E9", "marker": "o", "markerfacecolor": "white", "markeredgewidth": 1.0},
    "off them": {"color": "#01665E", "marker": "o"},
    "worst most confident": {"color": "#D55E00", "marker": "^"},
}
# Settings whose ablations are drawn.
ABLATED: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "Gaussian": (STUDY, {"panel": "synthetic", "domain": "shifted"}, {"color": "#01665E", "marker": "o"}),
    "Gaussian, confident": (
        STUDY,
        {"panel": "synthetic", "domain": "confident"},
        {"color": "#D55E00", "marker": "^"},
    ),
    "digits": (STUDY, {"panel": "images", "shift": "out"}, {"color": "#0072B2", "marker": "s"}),
    "photographs": (IMAGES, {"shift": "out"}, {"color": "#E69F00", "marker": "v"}),
    "preferences": (TEXTS, {"shift": "out"}, {"color": "#CC79A7", "marker": "D"}),
}
PATHS = (("shifted", "raven"), ("confident", "raven"), ("confident", "raven_kl"))
TEACHERS = ("#A6611A", "#DFA23A", "#01665E")  # in the order of their accuracy
BEYOND = "accuracy − even ensemble's"


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Accuracies by method and place, weights along training and at its end, ablations against the even ensemble."""
    every = {study: pd.concat([tables[study], controls_of(tables, study)]) for study in (STUDY, IMAGES, TEXTS)}
    accuracies = [
        {
            "title": title,
            "places": {name: methods(study, chosen(every[study], kept), settings) for name, kept in own.items()},
        }
        for study, title, own in PLACES
    ]
    ablations = {
        varied: [
            {"setting": name, "method": method, "points": against_uniform(study, cells, method, varied, settings)}
            for name, (study, kept, _) in ABLATED.items()
            for method in ("raven", "raven_kl")
            for cells in [chosen(every[study], kept)]
        ]
        for varied in ("easy", "rate")
    }
    found = {
        "accuracies": accuracies,
        "paths": [
            path(chosen(every[STUDY], {"panel": "synthetic", "domain": domain}), domain, method, settings)
            for domain, method in PATHS
        ],
        "points": [points(chosen(every[study], kept), name) for name, (study, kept, _) in ABLATED.items()],
        "ablations": ablations,
    }
    return plain({"reading": reading(accuracies), "confidence": settings.confidence, **found})


def chosen(cells: pd.DataFrame, kept: dict[str, str]) -> pd.DataFrame:
    """Cells with these values."""
    for column, value in kept.items():
        cells = cells[cells[column] == value]
    return cells


def methods(study: str, cells: pd.DataFrame, settings: Intervals) -> Numbers:
    """Accuracy of each method over seeds or splits; single teachers and domains are averaged within one."""
    final = cells[cells["weight"].isna() & (cells["varied"] == "default")]
    own = {name: final[(final["method"] == name) & final["control"].isna()] for name in METHODS}
    single = final[final["method"] == "single"]
    own |= {name: single[single["control"] == name] for name in ("shuffled", "constant")}
    own["gold"] = final[final["method"] == "gold"]
    agreed = final[final["method"] == "uniform"].groupby("seed")["agreed_accuracy"].mean().dropna()
    found = {name: over_seeds(study, part, by_seed(part), settings) for name, part in own.items()}
    return {**found, "agreed": over_seeds(study, final, agreed, settings)}


def by_seed(cells: pd.DataFrame) -> pd.Series:
    """Mean accuracy of the students of each seed or split."""
    return cells.groupby("seed")["student_accuracy"].mean()


def over_seeds(study: str, cells: pd.DataFrame, values: pd.Series, settings: Intervals, kind: str = "share") -> Any:
    """Mean over seeds with its interval; splits of one data set share rows."""
    unit = "seed" if (cells["panel"] == "synthetic").all() else "split"
    return over_units(kind, values.to_list(), settings.confidence, overlap(study, unit))


def against_uniform(study: str, cells: pd.DataFrame, method: str, varied: str, settings: Intervals) -> list[Numbers]:
    """By the values of an ablated setting: accuracy less that of the even ensemble, seed by seed."""
    final = cells[cells["control"].isna() & cells["weight"].isna()]
    even = by_seed(final[final["method"] == "uniform"])
    own = final[(final["method"] == method) & (final["varied"] == varied)]
    return [
        {"at": float(value), **over_seeds(study, part, by_seed(part) - even, settings, "difference")._asdict()}
        for value, part in own.groupby(varied)
    ]


def path(cells: pd.DataFrame, domain: str, method: str, settings: Intervals) -> Numbers:
    """Weights of each teacher over epochs, mean over seeds."""
    own = cells[(cells["method"] == method) & cells["weight"].notna()]
    teachers = [
        {
            "teacher": str(name),
            "accuracy": float(part["weak_accuracy"].mean()),
            "entropy": float(part["label_entropy"].mean()),
            "weights": [
                {"at": float(epoch), **over_units("share", at["weight"].to_list(), settings.confidence)._asdict()}
                for epoch, at in part.groupby("epoch")
            ],
        }
        for name, part in own.groupby("weak")
    ]
    return {"domain": domain, "method": method, "teachers": sorted(teachers, key=lambda each: each["accuracy"])}


def points(cells: pd.DataFrame, name: str) -> Numbers:
    """Weight of each teacher at the end against its accuracy, less the even weight and the pool's mean accuracy."""
    own = cells[(cells["method"] == "raven") & cells["weight"].notna()]
    last = own[own["epoch"] == own["epoch"].max()]
    by = ["domain", "seed"]
    return {
        "setting": name,
        "accuracy": (last["weak_accuracy"] - last.groupby(by)["weak_accuracy"].transform("mean")).to_list(),
        "weight": (last["weight"] - last.groupby(by)["weight"].transform("mean")).to_list(),
    }


def reading(accuracies: list[Numbers]) -> str:
    """RAVEN beside the even ensemble wherever a student was off the teachers' domains."""
    told = [
        f"{entry['title']}, {place}: "
        + ", ".join(f"{METHODS[name]} {interval(plain(own[name]))}" for name in ("raven", "uniform", "raven_kl"))
        + f"; where all teachers agree, the share of right answers is {interval(plain(own['agreed']))}"
        for entry in accuracies
        for place, own in entry["places"].items()
        if place != "in their domains"
    ]
    return f"Accuracy: {'. '.join(told)}."


def draw(numbers: Numbers) -> Picture:
    """Accuracies by method; weights along training; weights against accuracy, and the two ablations."""
    figure = plt.figure(figsize=(drawing.WIDTH, 8.6))
    above, below = figure.subfigures(2, 1, height_ratios=[1.1, 1.5])
    first, rest = above.subplots(1, 4), below.subplots(2, 3)
    for place, (axes, entry) in enumerate(zip(first, numbers["accuracies"], strict=True)):
        _accuracies(axes, entry, labelled=place == 0)
    for axes, entry in zip(rest[0], numbers["paths"], strict=True):
        _path(axes, entry)
    rest[0, 0].set_ylabel("weight w")
    _points(rest[1, 0], numbers["points"])
    _ablation(rest[1, 1], numbers["ablations"]["easy"], "easy share E₀ of the epochs")
    _ablation(rest[1, 2], numbers["ablations"]["rate"], "rate of the weights")
    rest[1, 2].set_xscale("log")
    rest[1, 1].set_ylabel(BEYOND)
    titles = (
        *(entry["title"] for entry in numbers["accuracies"]),
        "off their domains",
        "worst confident",
        "worst confident, H off",
        "weight and accuracy",
        "easy samples first",
        "rate of the weights",
    )
    for letter, title, axes in zip("abcdefghij", titles, (*first, *rest.flat), strict=True):
        axes.set_title(f"{letter}  {title}", fontweight="bold")
    drawing.legend_above(above, first[0], 3)
    handles, labels = rest[1, 1].get_legend_handles_labels()
    below.legend(handles, labels, loc="outside lower center", ncols=5, columnspacing=1.2, handletextpad=0.2)
    return figure


def _accuracies(axes: Axes, entry: Numbers, labelled: bool) -> None:
    rows = [*METHODS, *CONTROLS]
    for shift, (name, own) in zip((0.18, 0.0, -0.18), entry["places"].items(), strict=False):
        for place, method in enumerate(rows):
            look = LOOKS[name] | ({"color": drawing.SOFT} if method in CONTROLS else {})
            drawing.horizontal_interval(axes, len(rows) - place + shift, own[method], **{"markersize": 4, **look})
        axes.plot([], [], linestyle="none", label=name, **{"markersize": 4.5, **LOOKS[name]})
    axes.set_yticks(range(len(rows), 0, -1), (METHODS | CONTROLS).values() if labelled else [""] * len(rows))
    axes.axhline(len(CONTROLS) + 0.5, color=drawing.FAINT, linewidth=0.8)
    axes.grid(axis="y", color=drawing.FAINT, linewidth=0.4)
    axes.set(xlabel="accuracy", ylim=(0.4, len(rows) + 0.6))


def _path(axes: Axes, entry: Numbers) -> None:
    for colour, line, teacher in zip(TEACHERS, ("-", "--", "-."), entry["teachers"], strict=True):
        told = f"{teacher['accuracy']:.2f}, H = {teacher['entropy']:.2f}"
        weights = teacher["weights"]
        drawing.band(axes, [each["at"] for each in weights], weights, color=colour, linestyle=line, label=told)
    axes.axhline(1 / len(entry["teachers"]), **drawing.EQUAL)
    axes.set(xlabel="epoch", ylim=(-0.03, 1.03))
    axes.legend(title="accuracy, entropy H", loc="upper left", labelspacing=0.2, handlelength=1.6)


def _points(axes: Axes, rows: Iterable[Numbers]) -> None:
    axes.axhline(0, color=drawing.INK, linewidth=0.8, zorder=1)
    axes.axvline(0, color=drawing.INK, linewidth=0.8, zorder=1)
    for row in rows:
        look = ABLATED[row["setting"]][2]
        axes.scatter(row["accuracy"], row["weight"], s=9, linewidths=0, alpha=0.7, **look)
    axes.set(xlabel="accuracy − pool's mean", ylabel="RAVEN's weight − 1/K")


def _ablation(axes: Axes, rows: Iterable[Numbers], label: str) -> None:
    axes.axhline(0, color=drawing.INK, linewidth=0.8, zorder=1)
    for row in rows:
        look, repaired = ABLATED[row["setting"]][2], row["method"] == "raven_kl"
        at = [point["at"] for point in row["points"]]
        values, line = [point["value"] for point in row["points"]], "--" if repaired else "-"
        axes.plot(at, values, color=look["color"], linewidth=0.9, linestyle=line)
        for point in row["points"]:
            style = look | ({"markerfacecolor": "white", "markeredgewidth": 0.9} if repaired else {})
            drawing.vertical_interval(axes, point["at"], point, **{"markersize": 4, **style})
        if not repaired:
            axes.plot([], [], linestyle="none", markersize=4.5, label=row["setting"], **look)
    open_marker = {"markerfacecolor": "white", "markeredgewidth": 0.9, "markersize": 4.5, "color": drawing.SOFT}
    axes.plot([], [], linestyle="none", marker="o", label="open: H subtracted", **open_marker)
    axes.set(xlabel=label)


def words(numbers: Numbers) -> str:
    """The reading, and what the weights do at the end."""
    told = [
        f"{entry['domain']}, {METHODS[entry['method']]}: "
        + ", ".join(f"{each['accuracy']:.2f} accurate {interval(each['weights'][-1])}" for each in entry["teachers"])
        for entry in numbers["paths"]
    ]
    return f"{numbers['reading']} Weights at the end, by teacher: {'; '.join(told)}."


FIGURES = {
    "shift": Figure(
        source="jeon2025",
        cells=(STUDY, IMAGES, TEXTS),
        caption="Students of several weak teachers in the teachers' domains and off them: accuracy by method, RAVEN's "
        "weights (H off: with the teacher's entropy subtracted), its two failures. Panels h to j are off the teachers' "
        "domains (confident: where the worst teachers are the most so); in h each point is a teacher of one seed or "
        "split. Dashed in e to g: even weights.",
        shows="which of several weak teachers to trust on a domain that none of them saw",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
