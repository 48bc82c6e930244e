"""Content and style of a language model's answers by the number of weak examples in its context."""

from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.estimates import over_means, plain
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import interval

STUDY = "published/refinement_lm"
SCORES = {
    "content": ("a  content, by likelihood", "right likelier than a distractor"),
    "style": ("b  style", "answers in the style"),
    "stated": ("c  content, as written", "right answer is written"),
}
GUESSED = 0.5  # content of a model that knows nothing
CURVES: dict[str, dict[str, Any]] = {
    "in_context": {"label": "after the teacher's answers", "color": drawing.ROLE_COLOURS["student"], "marker": "o"},
    "gold": {
        "label": "after right answers",
        "color": drawing.SOFT,
        "marker": "D",
        "fillstyle": "none",
        "markeredgewidth": 1.1,
    },
    "shuffled": {"label": "after answers to other questions", "color": drawing.SOFT, "marker": "X"},
}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Means over seeds of each score, by whose answers stand in the context and how many."""
    every = pd.concat([tables[STUDY], controls_of(tables, STUDY)])
    points = plain(
        {
            "points": [
                {"method": method, "n_icl": int(n), **_scores(own, settings.confidence)}
                for (method, n), own in every.groupby(["method", "n_icl"])
            ]
        }
    )["points"]
    return plain({"reading": _reading(points), "points": points, "confidence": settings.confidence})


def _scores(cells: pd.DataFrame, confidence: float) -> Numbers:
    return {name: over_means(f"share_{name}", cells, name, confidence) for name in SCORES}


def _reading(points: list[Numbers]) -> str:
    first = next(point for point in points if point["method"] == "untuned")
    last = max((point for point in points if point["method"] == "in_context"), key=lambda point: point["n_icl"])
    told = (f"{meaning} {interval(first[name])} to {interval(last[name])}" for name, (_, meaning) in SCORES.items())
    return f"From no example to {last['n_icl']} of the teacher's: {'; '.join(told)}."


def draw(numbers: Numbers) -> Picture:
    """A panel a score."""
    figure, panels = plt.subplots(1, 3, figsize=(drawing.WIDTH, 3.2), sharex=True)
    for (name, (title, meaning)), axes in zip(SCORES.items(), panels, strict=True):
        _curves(axes, numbers["points"], name)
        axes.set_title(title, fontweight="bold")
        axes.set_ylabel(f"share: {meaning}", fontsize=8)
    drawing.legend_above(figure, panels[0], columns=3)
    return figure


def _curves(axes: Axes, points: list[Numbers], score: str) -> None:
    sizes = sorted({point["n_icl"] for point in points})
    untuned = next(point[score] for point in points if point["method"] == "untuned")
    teacher = next(point[score] for point in points if point["method"] == "teacher")
    level: dict[str, Any] = {"color": drawing.ROLE_COLOURS["weak"], "linestyle": (0, (4, 2)), "linewidth": 1}
    if score == "content":  # the teacher has no log-probabilities
        axes.axhline(GUESSED, color=drawing.SOFT, linewidth=0.8, linestyle=":")
    else:
        axes.axhline(teacher["value"], **level)
    axes.plot([], [], label="teacher", **level)
    axes.plot([], [], color=drawing.SOFT, linewidth=0.8, linestyle=":", label="guessing")
    for offset, (method, look) in zip((-0.14, 0.0, 0.14), CURVES.items(), strict=True):
        own = sorted((point for point in points if point["method"] == method), key=lambda point: point["n_icl"])
        places = [sizes.index(point["n_icl"]) + offset for point in own]
        style = {key: value for key, value in look.items() if key != "label"}
        if len(own) > 1:
            values = [untuned["value"], *(point[score]["value"] for point in own)]
            axes.plot([0, *places], values, color=look["color"], linewidth=0.9)
        for place, point in zip(places, own, strict=True):
            drawing.vertical_interval(axes, place, point[score], **style)
        axes.plot([], [], linestyle="none", markersize=4.5, **look)
    drawing.vertical_interval(axes, 0, untuned, color=drawing.SOFT, marker="s")
    axes.plot([], [], linestyle="none", color=drawing.SOFT, marker="s", markersize=4.5, label="no example")
    axes.set_xlabel("examples in context")
    if score == "style":
        axes.set_ylim(-0.04, 1.04)
    axes.set_xticks(range(len(sizes)), [f"{size}" for size in sizes])


def words(numbers: Numbers) -> str:
    """First and last point of the curves."""
    return _reading(numbers["points"])


FIGURES = {
    "refinement_lm": Figure(
        source="somerstep2024",
        cells=(STUDY,),
        caption=(
            "SmolLM2-135M-Instruct answers questions of SciQ after examples in its context, with no finetuning: those "
            "of a teacher that keeps a style and is mostly wrong, right ones, and right ones of other questions. "
            "a: share of three distractors that are less likely than the right answer (.5 by guessing); b: answers "
            "that match the style's regular expression; c: answers that hold the right one. Means over seeds, each "
            "with questions of its own, and intervals."
        ),
        shows="a pretrained language model refines weak answers in context: content and style by number of examples",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
