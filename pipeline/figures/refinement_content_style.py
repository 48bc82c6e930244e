"""Content and style of every student in the token language, beside the authors' scores (Somerstep et al. 2024)."""

from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.estimates import over_means, plain
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import number

STUDY = "published/refinement_style"
PANELS = {"truthful": "all authors know the facts", "mixed": "some authors know as few as the teacher"}
HALVES = {"seen": "finetuned questions", "held_out": "other questions"}
# By name in the picture, from top to bottom: the method's rows of the cells.
STUDENTS = {
    "un-tuned": "method == 'untuned'",
    "teacher": "method == 'teacher'",
    "naive": "method == 'naive' and eta == 0",
    "naive, η = 0.3": "method == 'naive' and eta == 0.3",
    "naive, η = 1": "method == 'naive' and eta == 1",
    "confidence loss": "method == 'confidence'",
    "refined, no pairs": "method == 'refined' and n_icl == 0",
    "refined": "method == 'refined' and n_icl == n_icl.max()",
    "in context": "method == 'in_context' and n_icl == n_icl.max()",
    "true labels": "method == 'gold'",
}
SCORES: dict[str, dict[str, Any]] = {
    "content": {"color": drawing.ROLE_COLOURS["student"], "marker": "o"},
    "style": {"color": drawing.ROLE_COLOURS["weak"], "marker": "s", "fillstyle": "none", "markeredgewidth": 1.3},
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
        for name, rows in STUDENTS.items()
    ]
    authors = [
        {"task": task, "student": name, "content": content / 10, "style": style / 10}
        for task, scores in AUTHORS.items()
        for name, (content, style) in scores.items()
    ]
    points = plain({"points": points})["points"]
    return plain({"reading": _reading(points), "points": points, "authors": authors, "confidence": settings.confidence})


def _scores(cells: pd.DataFrame, confidence: float) -> Numbers:
    return {name: over_means(f"share_{name}", cells, name, confidence) for name in ("content", "style")}


def _reading(points: list[Numbers]) -> str:
    told = []
    for panel, meaning in PANELS.items():
        own = {point["student"]: point for point in points if point["panel"] == panel and point["questions"] == "seen"}
        told.append(
            f"{meaning}: "
            + ", ".join(
                f"{name} {number(own[name]['content']['value'])} / {number(own[name]['style']['value'])}"
                for name in ("un-tuned", "teacher", "naive", "refined")
            )
        )
    return f"Content / style on the finetuned questions, {'; '.join(told)}."


def draw(numbers: Numbers) -> Picture:
    """A row a corpus, a column a half of the questions; the authors' two tasks in the last column."""
    figure, panels = plt.subplots(2, 3, figsize=(drawing.WIDTH, 5.4), sharex=True, sharey=True)
    for row, panel in enumerate(PANELS):
        for column, half in enumerate(HALVES):
            own = [point for point in numbers["points"] if (point["panel"], point["questions"]) == (panel, half)]
            _dots(panels[row, column], own)
            panels[row, column].set_title(f"{'abde'[2 * row + column]}  {HALVES[half]}", fontweight="bold")
        panels[row, 0].set_ylabel(PANELS[panel])
    for letter, task, axes in zip("cf", AUTHORS, panels[:, 2], strict=True):
        _dots(axes, [point for point in numbers["authors"] if point["task"] == task])
        axes.set_title(f"{letter}  authors': {task}", fontweight="bold")
    for axes in panels[-1]:
        axes.set_xlabel("share of answers")
    panels[-1, 2].set_xlabel("score / 10")
    drawing.legend_above(figure, panels[0, 0], columns=2)
    return figure


def _dots(axes: Axes, points: list[Numbers]) -> None:
    names = [*STUDENTS]
    for point in points:
        place = names.index(point["student"])
        estimates = [_estimate(point[name]) for name in SCORES]
        axes.plot([estimate["value"] for estimate in estimates], [place, place], color=drawing.FAINT, zorder=1)
        for estimate, look in zip(estimates, SCORES.values(), strict=True):
            drawing.horizontal_interval(axes, place, estimate, **look)
    for name, look in SCORES.items():
        axes.plot([], [], linestyle="none", label=name, **look)
    axes.set(xlim=(-0.05, 1.05), ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), names)


def _estimate(score: Any) -> Numbers:
    return score if isinstance(score, dict) else {"value": score, "low": None, "high": None}


def words(numbers: Numbers) -> str:
    """The scores of the finetuned questions."""
    return _reading(numbers["points"])


FIGURES = {
    "refinement_content_style": Figure(
        source="somerstep2024",
        cells=(STUDY,),
        caption=(
            "Content (share of right facts) and style (share of answers in the wanted style), exact scores in "
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
