"""Content against style of every student in the token language, beside the authors' scores (Somerstep et al. 2024)."""

from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import number

STUDY = "published/refinement_style"
PANELS = {"truthful": "all authors know the facts", "mixed": "some authors are as ignorant"}
HALVES = {"seen": "finetuned questions", "held_out": "other questions"}
# By name in the picture: the method's rows of the cells, and its look.
STUDENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "un-tuned": ("method == 'untuned'", {"color": drawing.SOFT, "marker": "D"}),
    "teacher": ("method == 'teacher'", {"color": drawing.ROLE_COLOURS["weak"], "marker": "s"}),
    "naive": ("method == 'naive' and eta == 0", {"color": "#DDAA33", "marker": "v"}),
    "naive, η = 0.3": ("method == 'naive' and eta == 0.3", {"color": "#DDAA33", "marker": "^", "fillstyle": "none"}),
    "confidence loss": ("method == 'confidence'", {"color": "#882255", "marker": "P"}),
    "refined": (
        "method == 'refined' and n_icl == n_icl.max()",
        {"color": drawing.ROLE_COLOURS["student"], "marker": "o"},
    ),
    "refined, no pairs": (
        "method == 'refined' and n_icl == 0",
        {"color": drawing.ROLE_COLOURS["student"], "marker": "o", "fillstyle": "none"},
    ),
    "in context": ("method == 'in_context' and n_icl == n_icl.max()", {"color": "#332288", "marker": "X"}),
    "true labels": ("method == 'gold'", {"color": drawing.INK, "marker": "*"}),
}
# Means of the authors' score files, of 10: content, style.  gpt-4o-mini taught by Llama-2-7B-chat; refined in context.
AUTHORS = {
    "persona": {"un-tuned": (8.31, 1.98), "teacher": (3.56, 8.50), "naive": (3.55, 8.52), "refined": (7.33, 7.99)},
    "analogies": {"un-tuned": (9.58, 0.78), "teacher": (6.18, 7.15), "naive": (7.05, 7.26), "refined": (9.34, 4.31)},
}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Content and style over seeds, by panel, half of the questions and student; and over weak pairs."""
    every = pd.concat([tables[STUDY], controls_of(tables, STUDY)])
    points = [
        {"panel": panel, "questions": half, "student": name, **_scores(own.query(rows), settings.confidence)}
        for panel in PANELS
        for half in HALVES
        for own in [every[(every["panel"] == panel) & (every["questions"] == half)]]
        for name, (rows, _) in STUDENTS.items()
    ]
    authors = [
        {"task": task, "student": name, "content": content / 10, "style": style / 10}
        for task, scores in AUTHORS.items()
        for name, (content, style) in scores.items()
    ]
    found = {"reading": _reading(points), "points": points, "authors": authors, "confidence": settings.confidence}
    return plain(found)


def _scores(cells: pd.DataFrame, confidence: float) -> Numbers:
    return {
        name: over_units(f"share_{name}", [float(own.mean()) for _, own in cells.groupby("seed")[name]], confidence)
        for name in ("content", "style")
    }


def _reading(points: list[Numbers]) -> str:
    told = []
    for panel, meaning in PANELS.items():
        own = {point["student"]: point for point in points if point["panel"] == panel and point["questions"] == "seen"}
        told.append(
            f"{meaning}: "
            + ", ".join(
                f"{name} {number(own[name]['content'].value)} / {number(own[name]['style'].value)}"
                for name in ("un-tuned", "teacher", "naive", "refined")
            )
        )
    return f"Content / style on the finetuned questions, {'; '.join(told)}."


def draw(numbers: Numbers) -> Picture:
    """A row a corpus, a column a half of the questions; the authors' two tasks in the last column."""
    figure, panels = plt.subplots(2, 3, figsize=(drawing.WIDTH, 5.2), sharex=True, sharey=True)
    for row, panel in enumerate(PANELS):
        for column, half in enumerate(HALVES):
            own = [point for point in numbers["points"] if (point["panel"], point["questions"]) == (panel, half)]
            _scatter(panels[row, column], own)
            panels[row, column].set_title(f"{'abde'[2 * row + column]}  {HALVES[half]}", fontweight="bold")
        panels[row, 0].set_ylabel(f"{PANELS[panel]}\n\nstyle")
    for letter, task, axes in zip("cf", AUTHORS, panels[:, 2], strict=True):
        for point in numbers["authors"]:
            if point["task"] == task:
                axes.plot(point["content"], point["style"], linestyle="none", **_look(point["student"]))
        axes.set_title(f"{letter}  authors': {task}", fontweight="bold")
    for axes in panels[-1]:
        axes.set_xlabel("content")
    drawing.legend_above(figure, panels[0, 0], columns=5)
    return figure


def _scatter(axes: Axes, points: list[Numbers]) -> None:
    for point in points:
        content, style = point["content"], point["style"]
        look = _look(point["student"])
        drawing.vertical_interval(axes, content["value"], style, **look)
        drawing.horizontal_interval(axes, style["value"], content, **look)
        axes.plot([], [], linestyle="none", label=point["student"], **look)
    for line in (axes.axvline, axes.axhline):
        line(0.5, color=drawing.FAINT, linewidth=0.8, zorder=0)
    axes.set(xlim=(-0.08, 1.08), ylim=(-0.08, 1.08))


def _look(student: str) -> dict[str, Any]:
    look = STUDENTS[student][1]
    return {"markersize": 6, "markeredgewidth": 1.2 if "fillstyle" in look else 0, **look}


def words(numbers: Numbers) -> str:
    """The reading."""
    return str(numbers["reading"])


FIGURES = {
    "refinement_content_style": Figure(
        source="somerstep2024",
        cells=(STUDY,),
        caption=(
            "Content (share of right facts) against style (share of answers in the wanted style), exact scores in "
            "a token language; means over seeds with intervals. Upper row: every author of the strong model's "
            "documents knows the facts; lower row: some know as few as the teacher. Right: the authors' scores "
            "over 10, given by a language model to gpt-4o-mini taught by Llama-2 on a persona (tinyTruthfulQA) "
            "and on explanations by analogy."
        ),
        shows="content and style of un-tuned, naive and refined students, exact scores, beside the authors'",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
