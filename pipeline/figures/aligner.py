"""Aligner (Ji et al. 2024): one corrector on many answerers, and a strong model taught by its corrections."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.estimates import over_means, plain
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import interval, number

STUDY = "published/aligner"
# By method in the first picture: the rows of the cells, the column that is drawn, the look.
RIGHT: dict[str, tuple[str, str, dict[str, Any]]] = {
    "as answered": ("method == 'corrector'", "helpful_before", drawing.role_style("weak")),
    "corrected": ("method == 'corrector'", "helpful", drawing.role_style("student")),
    "direct, same size": ("method == 'direct'", "helpful", drawing.role_style("ceiling")),
    "random corrections": ("method == 'random'", "helpful", {"color": drawing.SOFT, "marker": "X"}),
}
ORIGINS: dict[str, dict[str, Any]] = {
    "seen": {"color": drawing.SEED_COLOURS[4], "marker": "v"},
    "unseen": {"color": drawing.SEED_COLOURS[0], "marker": "o"},
    "network": {"color": drawing.SEED_COLOURS[1], "marker": "s"},
}
FOUND = {"helpful": "solid", "kept": (0, (2, 1.5))}
SPOKEN = {"seen": "seen in training", "unseen": "never seen", "network": "larger network, never seen"}
STUDENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "SFT on corrections": ("method == 'corrected' and iteration == 1", {"color": "#01665E", "marker": "o"}),
    "DPO": ("method == 'dpo' and beta == beta.min()", {"color": "#8C2D8F", "marker": "D"}),
    "DPO, larger β": ("method == 'dpo' and beta == beta.max()", {"color": "#8C2D8F", "marker": "P"}),
    "SFT on own answers": ("method == 'raw'", {"color": drawing.SOFT, "marker": "s"}),
    "SFT on own likeliest answers": (
        "method == 'likeliest'",
        {"color": drawing.SOFT, "marker": "_", "markersize": 9, "markeredgewidth": 1.6},
    ),
    "SFT on true answers": ("method == 'gold'", {"color": drawing.SOFT, "marker": "^"}),
    "SFT on random corrections": ("method == 'random'", {"color": drawing.SOFT, "marker": "X"}),
}
# The authors' Table 2: improvement (per cent) in helpfulness and harmlessness, models taught by Aligner's corrections.
AUTHORS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "Alpaca-7B": {"SFT": (14.0, 63.7), "RLHF": (-38.9, 62.6), "DPO": (-51.3, 57.1)},
    "Alpaca2-13B": {"SFT": (28.4, 59.6), "RLHF": (21.6, 43.9), "DPO": (-9.6, 68.4)},
    "Alpaca2-70B": {"SFT": (8.2, 61.6)},
}
THEIRS = {"SFT": {"color": "#01665E", "marker": "o"}, "DPO": {"color": "#8C2D8F", "marker": "D"}}
THEIRS["RLHF"] = {"color": drawing.SEED_COLOURS[5], "marker": "v"}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Right numbers by answerer; what warm-up, passes and data do; improvements of the strong model's students."""
    every = pd.concat([tables[STUDY], controls_of(tables, STUDY)])
    small, level = every[every["panel"] == "corrector"], settings.confidence
    most = small[small["n_train"] == small["n_train"].max()]
    once = most[(most["warmup"] == 0) & (most["iteration"] == 1)]
    answerers = [
        {"origin": origin, "upstream": name, "method": method, "helpful": over_means("share", own, column, level)}
        for origin in ORIGINS
        for name, part in once[once["origin"] == origin].groupby("upstream", sort=False)
        for method, (rows, column, _) in RIGHT.items()
        for own in [part.query(rows)]
    ]
    corrector = most[most["method"] == "corrector"]
    warmup = _curve(corrector[corrector["iteration"] == 1], "warmup", ("kept", "helpful_improvement"), level)
    passes = _curve(corrector[corrector["warmup"] == 0], "iteration", ("helpful",), level)
    unseen = small[(small["origin"] == "unseen") & (small["warmup"] == 0) & (small["iteration"] == 1)]
    sizes = [
        {
            "method": method,
            "examples": int(size),
            **{name: over_means(f"share_{name}", own, name, level) for name in FOUND},
        }
        for (method, size), own in unseen[unseen["method"].isin(["corrector", "direct"])].groupby(["method", "n_train"])
    ]
    taught = every[(every["panel"] == "student") & (every["decoding"] == "sampled")]
    students = [{"student": name, **_improvements(taught.query(rows), level)} for name, (rows, _) in STUDENTS.items()]
    found = plain(
        {
            "answerers": answerers,
            "unseen": _improvements(once.query("method == 'corrector' and origin == 'unseen'"), level),
            "warmup": warmup,
            "passes": passes,
            "sizes": sizes,
            "students": students,
            "authors": [
                {"model": model, "method": method, "helpful": helpful / 100, "harmless": harmless / 100}
                for model, methods in AUTHORS.items()
                for method, (helpful, harmless) in methods.items()
            ],
        }
    )
    return plain({"reading": words(found), **found, "confidence": level})


def _curve(cells: pd.DataFrame, along: str, columns: tuple[str, ...], level: float) -> list[Numbers]:
    return [
        {"origin": origin, along: float(value), **{name: over_means(_kind(name), own, name, level) for name in columns}}
        for (origin, value), own in cells.groupby(["origin", along])
    ]


def _kind(column: str) -> str:
    return f"mean_{column}" if column.endswith("improvement") else f"share_{column}"


def _improvements(cells: pd.DataFrame, level: float) -> Numbers:
    names = ("helpful_improvement", "harmless_improvement")
    return {name.removesuffix("_improvement"): over_means(_kind(name), cells, name, level) for name in names}


def words(found: Numbers) -> str:
    """Improvements of answerers never seen, right answers left alone, data, and the strong model's students."""
    helpful, harmless = found["unseen"]["helpful"], found["unseen"]["harmless"]
    students = "; ".join(
        f"{each['student']} {interval(each['helpful'])} and {interval(each['harmless'])}" for each in found["students"]
    )
    kept = {each["warmup"]: number(each["kept"]["value"]) for each in found["warmup"] if each["origin"] == "unseen"}
    passes = [number(each["helpful"]["value"]) for each in found["passes"] if each["origin"] == "unseen"]
    data = "; ".join(
        f"{each['examples']} questions, {each['method']}: {interval(each['helpful'])} right numbers"
        for each in found["sizes"]
    )
    return (
        f"Corrected answers of generators never seen: improvement {interval(helpful)} in helpfulness, "
        f"{interval(harmless)} in harmlessness; right answers left alone {kept[min(kept)]}, with warm-up in "
        f"{max(kept):g} of the steps {kept[max(kept)]}. Right numbers after one pass and more: {', '.join(passes)}. "
        f"{data}. The strong model's students (improvement, helpful and harmless): {students}."
    )


def draw(numbers: Numbers) -> Picture:
    """Answerers and what a corrector makes of them, warm-up, data, students beside the authors' table."""
    figure, panels = plt.subplots(2, 2, figsize=(drawing.WIDTH, 6.6))
    _answerers(panels[0, 0], numbers["answerers"])
    _warmup(panels[0, 1], numbers["warmup"])
    _sizes(panels[1, 0], numbers["sizes"])
    _students(panels[1, 1], numbers)
    titles = (
        "one corrector, many answerers",
        "warm-up as an identity",
        "correcting against answering",
        "the strong model",
    )
    for letter, axes, title in zip("abcd", panels.flat, titles, strict=True):
        axes.set_title(f"{letter}  {title}", fontweight="bold")
    return figure


def _answerers(axes: Axes, points: list[Numbers]) -> None:
    names = list(dict.fromkeys(point["upstream"] for point in points))
    origins = {point["upstream"]: point["origin"] for point in points}
    for point in points:
        _, _, look = RIGHT[point["method"]]
        place = names.index(point["upstream"]) + 0.28 * point["method"].startswith("direct")  # not over each other
        drawing.horizontal_interval(axes, place, point["helpful"], **look)
    for method, (_, _, look) in RIGHT.items():
        axes.plot([], [], linestyle="none", label=method, markersize=4.5, **look)
    axes.set(xlim=(-0.02, 1.05), ylim=(len(names) - 0.5, -0.5), xlabel="helpful: share of right numbers")
    axes.set_yticks(range(len(names)), [f"{name}\n({origins[name]})" if name != "network" else name for name in names])
    axes.legend(loc="center left", bbox_to_anchor=(0.14, 0.5), handletextpad=0.2)


def _warmup(axes: Axes, points: list[Numbers]) -> None:
    for origin, look in ORIGINS.items():
        own = [point for point in points if point["origin"] == origin]
        shares = [point["warmup"] for point in own]
        drawing.band(axes, shares, [point["kept"] for point in own], label=SPOKEN[origin], **look)
        open_ = {**look, "linestyle": (0, (2, 1.5)), "fillstyle": "none", "markeredgewidth": 0.9}
        drawing.band(axes, shares, [point["helpful_improvement"] for point in own], **open_)
    axes.plot([], [], color=drawing.INK, label="right answers left as they are")
    axes.plot([], [], color=drawing.INK, linestyle=(0, (2, 1.5)), label="improvement in helpfulness")
    axes.set(xlabel="share of steps that copy the answer", ylabel="share of answers", ylim=(-0.05, 1.02))
    axes.legend(loc="lower left")


def _sizes(axes: Axes, points: list[Numbers]) -> None:
    looks = {"corrector": ("corrected", "student"), "direct": ("direct, same size", "ceiling")}
    for method, (label, role) in looks.items():
        own = [point for point in points if point["method"] == method]
        for name, line in FOUND.items():
            style = {**drawing.role_style(role), "linestyle": line, "label": label if name == "helpful" else "_"}
            drawing.band(axes, [point["examples"] for point in own], [point[name] for point in own], **style)
    axes.plot([], [], color=drawing.INK, label="right numbers")
    axes.plot([], [], color=drawing.INK, linestyle=FOUND["kept"], label="right answers still right")
    axes.set_xticks(sorted({point["examples"] for point in points}))
    axes.set(xlabel="training questions", ylabel="share, generators never seen")
    axes.legend(loc="lower right")


def _students(axes: Axes, numbers: Numbers) -> None:
    for each in numbers["students"]:
        _, look = STUDENTS[each["student"]]
        drawing.horizontal_interval(axes, each["helpful"]["value"], each["harmless"], **look)
        drawing.vertical_interval(axes, each["harmless"]["value"], each["helpful"], **look)
        axes.plot([], [], linestyle="none", label=each["student"], **{"markersize": 4.5, **look})
    for each in numbers["authors"]:
        look = {**THEIRS[each["method"]], "fillstyle": "none", "markersize": 4.5, "markeredgewidth": 1.2}
        axes.plot(each["harmless"], each["helpful"], linestyle="none", label=f"authors' {each['method']}", **look)
    for line in (axes.axhline, axes.axvline):
        line(0, color=drawing.FAINT, linewidth=0.8, zorder=0)
    axes.set(xlabel="improvement in harmlessness", ylabel="improvement in helpfulness", xlim=(-1.2, 0.85))
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    axes.legend(once.values(), once.keys(), loc="lower left", handletextpad=0.1, borderaxespad=0.2)


FIGURES = {
    "aligner": Figure(
        source="ji2024",
        cells=(STUDY,),
        caption=(
            "A corrector of flawed answers on worksheets with exact scores; means over seeds with intervals. a: right "
            "numbers of each answerer before and after correction, and of a network of the corrector's size that "
            "answers directly. b: right answers that are left alone (solid) and improvement in helpfulness (broken), "
            "by the share of steps that copy. c: corrector and direct answerer by their data. d: improvement (share of "
            "answers better less worse) of the strong model taught by corrections of its own answers; open: the "
            "authors' Table 2, three language models, as judged there; grey: controls."
        ),
        shows="a small corrector on answerers it never saw, and a strong model taught by it, beside the authors' table",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
