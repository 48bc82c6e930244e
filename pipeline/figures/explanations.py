"""Learning from explanations (Heo et al. 2023): ways to use a mask, and what the student of a misled teacher gains."""

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.gain_against_misfit import axis_limits, square
from pipeline.summary import designs
from pipeline.summary.estimates import over_means, plain
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import number

STUDY = "published/explanations"
METHODS = {
    "erm": "no mask",
    "gradient": "gradient penalty",
    "average": "noise in the mask",
    "pgd": "attacks in the mask",
    "interval": "interval bounds",
    "interval_gradient": "bounds and penalty",
}
COLOURS = dict(zip(METHODS, (drawing.SOFT, *drawing.SEED_COLOURS), strict=False))
GREY = {"truth": drawing.SOFT, "shuffled": drawing.FAINT}  # controls, by their labels
SPOKEN = {"truth": "true labels", "shuffled": "shuffled labels"}
MARKERS = dict(zip(METHODS, ("X", "o", "v", "D", "s", "^"), strict=True))
SCORES: dict[str, dict[str, Any]] = {
    "student_accuracy": {"fillstyle": "none", "markeredgewidth": 1.2, "label": "all classes"},
    "worst_accuracy": {"label": "worst class"},
}
WORLDS = {"decoy": "decoyed digits", "toy": "two features, groups 40 apart"}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Accuracies by world and method at the strengths chosen, along all strengths, and gain and misfit of students."""
    every = pd.concat([tables[STUDY], controls_of(tables, STUDY)])
    rows = designs.overlap(STUDY, "split")
    overlap = {"decoy": rows, "toy": 0.0}
    chosen = [
        {"world": world, "method": method, **_scores(own, settings.confidence, overlap[world])}
        for world in WORLDS
        for method in METHODS
        for own in [every[(every["panel"] == world) & (every["method"] == method) & (every["chosen"] == 1)]]
        if len(own)
    ]
    sweep = [
        {"method": method, "strength": place, "of": float(strength), **_scores(own, settings.confidence, rows)}
        for method in METHODS
        if method != "erm"
        for place, (strength, own) in enumerate(_by_strength(every, method))
    ]
    students = [
        {"method": method, "pool": pool, "labels": labels, **_pair(own, settings.confidence, rows)}
        for (method, pool, labels), own in every[every["panel"] == "student"].groupby(["method", "pool", "labels"])
    ]
    found = plain({"chosen": chosen, "sweep": sweep, "students": students})
    limits = axis_limits(*([each[name]["value"] for each in students] for name in ("gain", "misfit")))
    return plain({"reading": _reading(found), **found, "limits": limits, "confidence": settings.confidence})


def _by_strength(every: pd.DataFrame, method: str) -> Iterable[tuple[float, pd.DataFrame]]:
    own = every[(every["panel"] == "decoy") & (every["method"] == method)]
    return own.groupby("penalty" if method == "gradient" else "radius")


def _scores(cells: pd.DataFrame, confidence: float, overlap: float) -> Numbers:
    return {name: _mean(cells, name, confidence, overlap) for name in (*SCORES, "same_accuracy")}


def _pair(cells: pd.DataFrame, confidence: float, overlap: float) -> Numbers:
    names = ("gain", "misfit", "student_accuracy", "weak_accuracy")
    return {name: _mean(cells, name, confidence, overlap) for name in names}


def _mean(cells: pd.DataFrame, column: str, confidence: float, overlap: float) -> Numbers:
    return over_means(f"mean_{column}", cells, column, confidence, overlap)._asdict()


def _reading(found: Numbers) -> str:
    told = {
        meaning: ", ".join(
            f"{METHODS[point['method']]} {number(point['worst_accuracy']['value'])}"
            for point in found["chosen"]
            if point["world"] == world
        )
        for world, meaning in WORLDS.items()
    }
    worst = "; ".join(f"{meaning}: {values}" for meaning, values in told.items())
    students = ", ".join(
        f"{METHODS[each['method']]} {number(each['student_accuracy']['value'])}"
        for each in found["students"]
        if (each["pool"], each["labels"]) == ("agreeing", "weak")
    )
    (teacher,) = {number(each["weak_accuracy"]["value"]) for each in found["students"]}
    return f"Accuracy on the worst class, {worst}. Students of a teacher that used the decoy ({teacher}): {students}."


def draw(numbers: Numbers) -> Picture:
    """Both worlds above; strengths and students of a weak teacher below."""
    figure, panels = plt.subplots(2, 2, figsize=(drawing.WIDTH, 6.4))
    for letter, axes, (world, meaning) in zip("ab", panels[0], WORLDS.items(), strict=True):
        _dots(axes, [point for point in numbers["chosen"] if point["world"] == world])
        axes.set_title(f"{letter}  {meaning}", fontweight="bold")
    for look in SCORES.values():
        panels[0, 0].plot([], [], linestyle="none", marker="o", color=drawing.INK, markersize=4.5, **look)
    panels[0, 0].legend(loc="upper right")
    panels[0, 1].set_yticklabels([])
    _sweep(panels[1, 0], numbers["sweep"])
    panels[1, 0].set_title("c  digits, along the strengths", fontweight="bold")
    _students(panels[1, 1], numbers)
    panels[1, 1].set_title("d  taught by a misled teacher", fontweight="bold")
    drawing.legend_above(figure, panels[1, 1], columns=4)
    return figure


def _dots(axes: Axes, points: list[Numbers]) -> None:
    names = [*METHODS]
    for point in points:
        place, colour = names.index(point["method"]), COLOURS[point["method"]]
        for name, look in SCORES.items():
            style = {key: value for key, value in look.items() if key != "label"}
            drawing.horizontal_interval(
                axes, place, point[name], color=colour, marker=MARKERS[point["method"]], **style
            )
    axes.set(xlim=(-0.05, 1.05), ylim=(len(names) - 0.5, -0.5), xlabel="accuracy where decoys are random")
    axes.set_yticks(range(len(names)), METHODS.values())


def _sweep(axes: Axes, points: list[Numbers]) -> None:
    for method, meaning in METHODS.items():
        own = [point for point in points if point["method"] == method]
        if own:
            look = {"color": COLOURS[method], "marker": MARKERS[method], "label": meaning}
            drawing.band(axes, [point["strength"] for point in own], [point["worst_accuracy"] for point in own], **look)
    places = sorted({point["strength"] for point in points})
    penalties, radii = (
        [point["of"] for point in points if (point["method"] == method)] for method in ("gradient", "interval")
    )
    axes.set_xticks(places, [f"λ {a:g}\nε {b:g}" for a, b in zip(penalties, radii, strict=True)])
    axes.set(xlabel="strength: penalty λ, radius ε", ylabel="accuracy on the worst class", ylim=(-0.05, 1.05))


def _students(axes: Axes, numbers: Numbers) -> None:
    square(axes, numbers["limits"])
    for each in numbers["students"]:
        real, agreeing = each["labels"] == "weak", each["pool"] == "agreeing"
        colour = COLOURS[each["method"]] if real else GREY[each["labels"]]
        style = {"color": colour, "marker": MARKERS[each["method"]], "fillstyle": "full" if agreeing else "none"}
        drawing.horizontal_interval(
            axes, each["misfit"]["value"], each["gain"], **{**style, "markeredgewidth": 0 if agreeing else 1.2}
        )
        axes.plot([each["gain"]["value"]] * 2, [each["misfit"][end] for end in ("low", "high")], color=colour, lw=0.8)
    for method, meaning in METHODS.items():
        axes.plot([], [], linestyle="none", marker=MARKERS[method], color=COLOURS[method], label=meaning)
    for labels, colour in GREY.items():
        axes.plot([], [], linestyle="none", marker="o", color=colour, label=f"control: {SPOKEN[labels]}")
    axes.plot([], [], label="gain = misfit", **drawing.EQUAL)
    axes.set(xlabel="gain (squared error of probabilities)", ylabel="misfit (same unit)")


def words(numbers: Numbers) -> str:
    """Worst classes and students."""
    return _reading(numbers)


FIGURES = {
    "explanations": Figure(
        source="heo2023",
        cells=(STUDY,),
        caption=(
            "Learning from explanations. a, b: accuracy over all classes (open) and on the worst class (filled) where "
            "decoys or groups say nothing, strengths by validation, means with intervals. c: the worst class along "
            "the strengths of each method. d: gain and misfit of students whose teacher used the decoy; filled: images "
            "whose decoys agree with the class, open: images whose decoys are random; grey: true labels (dark), "
            "shuffled ones (pale)."
        ),
        shows="a mask that says what must not matter: six ways to use it, and a student that beats a misled teacher",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
