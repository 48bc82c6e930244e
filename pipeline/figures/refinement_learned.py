"""Refinement by a transformer pretrained on contexts: is it Bayes, and what do its students reach?"""

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.refinement_theory import PAIRS, RISK
from pipeline.summary.estimates import over_units_in_logs, plain
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import interval, number

STUDY = "published/refinement_learned"
TEACHERS = {"corrupted": "corrupted concept, 50°", "network": "network of few labels"}
LOOK: dict[str, dict[str, Any]] = {
    "refined": {"color": drawing.ROLE_COLOURS["student"], "marker": "o", "label": "student of refined labels"},
    "in_context": {"color": "#882255", "marker": "D", "linestyle": "--", "label": "answers in context"},
    "bayes": {"color": drawing.SOFT, "marker": "^", "linestyle": ":", "label": "control: refined by Bayes"},
}
LEVELS: dict[str, dict[str, Any]] = {
    "untuned": {"color": drawing.SOFT, "linestyle": "-", "label": "un-tuned"},
    "naive": {"color": drawing.ROLE_COLOURS["weak"], "linestyle": "-", "label": "naive, no pull"},
    "best": {"color": drawing.ROLE_COLOURS["weak"], "linestyle": (0, (4, 3)), "label": "naive, best pull"},
    "gold": {"color": drawing.INK, "linestyle": (0, (1, 1)), "label": "true labels"},
}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Risks over seeds of the learner and of Bayes, and of students by teacher, method and size."""
    cells, controls = tables[STUDY], controls_of(tables, STUDY)
    every = pd.concat([cells, controls])
    learner = controls[controls["method"] == "learner"]
    curves = {
        "model": _over(learner, "n_icl", "student_error", settings.confidence),
        "distance": _over(learner, "n_icl", "misfit", settings.confidence),
        "bayes": _over(learner, "n_icl", "weak_error", settings.confidence),
    }
    teachers = [_teacher(name, every[every["weak"] == name], settings.confidence) for name in TEACHERS]
    found = {"reading": _reading(curves, teachers), "learner": curves, "teachers": teachers}
    return plain({**found, "confidence": settings.confidence})


def _teacher(name: str, cells: pd.DataFrame, confidence: float) -> Numbers:
    methods = {method: own for method, own in cells.groupby("method")}
    naive = _over(methods["naive"], "eta", "excess_risk", confidence)
    levels = {
        role: _over(methods[role].assign(all=0), "all", "excess_risk", confidence)[0] for role in ("untuned", "gold")
    }
    levels["naive"], levels["best"] = naive[0], min(naive, key=lambda each: each["value"])
    curves = {method: _over(methods[method], "n_icl", "excess_risk", confidence) for method in LOOK}
    return {
        "teacher": name,
        "weak_error": float(cells["weak_error"].mean()),
        "naive": naive,
        "levels": levels,
        **curves,
    }


def _over(cells: pd.DataFrame, axis: str, column: str, confidence: float) -> list[Numbers]:
    """Geometric means over seeds; at risks below 1e-12 the logarithm is that of rounding."""
    return [
        {"at": float(place), **over_units_in_logs(own[column].clip(lower=1e-12).to_list(), confidence)._asdict()}
        for place, own in cells.groupby(axis)
    ]


def _reading(curves: Numbers, teachers: list[Numbers]) -> str:
    early = {name: curve[len(curve) // 4] for name, curve in curves.items()}
    told = [
        f"{TEACHERS[entry['teacher']]}: refined {_written(entry['refined'][-1])}, "
        f"by Bayes {_written(entry['bayes'][-1])}, naive at best {_written(entry['levels']['best'])}"
        for entry in teachers
    ]
    return (
        f"After {early['model']['at']:g} pairs of its own source the model errs by {number(early['model']['value'])}, "
        f"Bayes by {number(early['bayes']['value'])}. Excess risk with the longest context, {'; '.join(told)}."
    )


def _written(estimate: Numbers) -> str:
    return interval(plain(estimate))


def draw(numbers: Numbers) -> Picture:
    """The learner beside Bayes; students over the pull; students over weak pairs, a panel a teacher."""
    figure, panels = plt.subplots(2, 2, figsize=(drawing.WIDTH, 6.0))
    _learner(panels[0, 0], numbers["learner"])
    _pulls(panels[0, 1], numbers["teachers"])
    for axes, entry in zip(panels[1], numbers["teachers"], strict=True):
        _students(axes, entry)
    panels[1, 1].sharey(panels[1, 0])
    panels[1, 0].legend(loc="lower left", frameon=True, facecolor="white", edgecolor="none", framealpha=1.0)
    titles = ("learner on its own source", "naive finetuning", *TEACHERS.values())
    for letter, title, axes in zip("abcd", titles, panels.flat, strict=True):
        axes.set_title(f"{letter}  {title}", fontweight="bold")
    return figure


def _learner(axes: Axes, curves: Numbers) -> None:
    looks = {
        "bayes": {"color": drawing.INK, "linestyle": ":", "label": "Bayes"},
        "model": {"color": drawing.ROLE_COLOURS["student"], "label": "transformer"},
        "distance": {"color": drawing.SOFT, "linestyle": "--", "label": "transformer to Bayes"},
    }
    for name, look in looks.items():
        drawing.band(axes, _places(curves[name]), curves[name], **look)
    axes.set(yscale="log", ylim=(1e-4, 2), xlabel="pairs in context", ylabel="mean squared error")
    axes.legend(loc="upper right")


def _pulls(axes: Axes, teachers: Iterable[Numbers]) -> None:
    markers = dict(zip(TEACHERS, (("s", "-"), ("o", "--")), strict=True))
    for entry in teachers:
        marker, line = markers[entry["teacher"]]
        look = {"color": drawing.ROLE_COLOURS["weak"], "marker": marker, "linestyle": line}
        drawing.band(axes, range(len(entry["naive"])), entry["naive"], label=TEACHERS[entry["teacher"]], **look)
        axes.set_xticks(range(len(entry["naive"])), [f"{each['at']:g}" for each in entry["naive"]])
    axes.set(ylim=(0, None), xlabel="pull to the source  η", ylabel=RISK)
    axes.legend(loc="lower right")


def _students(axes: Axes, entry: Numbers) -> None:
    for name, look in LOOK.items():
        drawing.band(axes, range(len(entry[name])), entry[name], **look)
    for name, look in LEVELS.items():
        axes.axhline(entry["levels"][name]["value"], linewidth=0.9, zorder=1, **look)
    axes.set_xticks(range(len(entry["refined"])), [f"{each['at']:g}" for each in entry["refined"]])
    axes.set(yscale="log", ylim=(1e-4, 2), xlabel=PAIRS, ylabel=RISK)


def _places(curve: Iterable[Numbers]) -> list[float]:
    return [each["at"] for each in curve]


def words(numbers: Numbers) -> str:
    """The reading, and students without weak pairs."""
    empty = [f"{TEACHERS[entry['teacher']]} {number(entry['refined'][0]['value'])}" for entry in numbers["teachers"]]
    return f"{numbers['reading']} Refined without any weak pair: {', '.join(empty)}."


FIGURES = {
    "refinement_learned": Figure(
        source="somerstep2024",
        cells=(STUDY,),
        caption=(
            "Refinement by a transformer that was pretrained on contexts of pairs. (a) Its error on contexts of "
            "its own source beside that of Bayes. (b) Naive finetuning over its pull to the un-tuned model. (c, "
            "d) Students finetuned on labels refined with weak pairs in context, for two teachers; in grey labels "
            "refined by the exact posterior. Geometric means over seeds, shades are intervals."
        ),
        shows="refined labels of a learned in-context model, beside exact Bayes, naive finetuning and controls",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
