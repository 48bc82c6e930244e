"""Who sees which rows: one table an experiment, its sizes from the code that draws the splits."""

from collections.abc import Iterable

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from sklearn.datasets import load_digits

from pipeline.core import experiments
from pipeline.core.config import Intervals
from pipeline.experiments.digits import data as digits
from pipeline.experiments.molecules import data as molecules
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.tables import Tables

USES = {
    "true": ("fits on true labels", {"marker": "o", "color": drawing.INK}),
    "weak": ("fits on its teacher's labels", {"marker": "^", "color": drawing.ROLE_COLOURS["student"]}),
    "selects": ("selects by the same labels", {"marker": "o", "color": drawing.INK, "markerfacecolor": "none"}),
    "judged": ("judged on true labels", {"marker": "s", "color": drawing.SOFT, "markerfacecolor": "none"}),
}
MOLECULES = 1000  # a round number, so that sizes read as shares of any data set
ROLES = ("teacher", "student", "ceiling", "no teacher: strong")


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Parts with their sizes, and what each role does with each, by experiment."""
    del tables  # it shows the protocol, not what came of it
    shown = [*_networks(), _digits(), *_molecules()]
    parts = sum(len(setting["parts"]) for setting in shown)
    reading = f"{len(shown)} protocols with {parts} parts; no role fits or selects on a row on which it is judged."
    return {"reading": reading, "confidence": settings.confidence, "settings": shown}


def _networks() -> list[Numbers]:
    found = []
    for name in ("synthetic", "kl"):
        block = experiments.load(name).settings
        size, evaluation = block.data.samples, block.data.evaluation_samples
        for inputs in block.labels.inputs:
            own = "teacher's inputs" if inputs == "reused" else "fresh inputs"
            parts = {"teacher's inputs": size, own: size, "evaluation": evaluation}
            uses = ({"teacher's inputs": "true"}, {own: "weak"}, {own: "true"}, {"teacher's inputs": "true"})
            found.append(_setting(f"{name}: {inputs} inputs, a task", parts, uses, judged="evaluation"))
    return found


def _digits() -> Numbers:
    block = experiments.load("digits").settings
    drawn = digits.divide(0, load_digits().target, block.data)
    stops = {"validation": "selects"}
    shown = (
        {"teacher": "true", "calibration": "selects"},
        {"student": "weak", **stops},
        {"student": "true", **stops},
        {"teacher": "true"},
    )
    return _setting("digits: a split", {name: len(rows) for name, rows in drawn.items()}, shown, judged="test")


def _molecules() -> list[Numbers]:
    block, found = experiments.load("molecules").settings, []
    drawn = molecules.random_split(MOLECULES, np.random.default_rng(block.data.seed))
    parts = molecules.halved(drawn, block.data.seed, "figure")
    sizes = {part: len(rows) for part, rows in parts.items()}
    for inputs in block.labels.inputs:
        own = ("train", "train") if inputs == "same" else ("teacher_half", "student_half")
        names = [*dict.fromkeys(own), "valid", "test"]
        weighs = {"valid": "selects"}  # the AdamW students alone, which weigh their epochs by it
        uses = [{own[0]: "true"}, {own[1]: "weak", **weighs}, {own[1]: "true", **weighs}, {own[0]: "true"}]
        title = f"molecules: {inputs}, a split of {MOLECULES:,}"
        found.append(_setting(title, {part: sizes[part] for part in names}, uses, judged="test"))
    return found


def _setting(title: str, parts: dict[str, int], uses: Iterable[dict[str, str]], judged: str) -> Numbers:
    by_role = {role: {**use, judged: "judged"} for role, use in zip(ROLES, uses, strict=True)}
    return {"title": title, "parts": parts, "uses": by_role}


def draw(numbers: Numbers) -> Picture:
    """A table a protocol: a column a part, a row a role, a mark for what the role does with the part."""
    settings = numbers["settings"]
    lines = -(-len(settings) // 2)
    figure, grid = plt.subplots(lines, 2, figsize=(drawing.WIDTH, 0.5 + 1.35 * lines), squeeze=False)
    for axes, setting in zip(grid.flat, settings, strict=False):
        _table(axes, setting)
    for axes in grid.flat[len(settings) :]:
        axes.set_visible(False)
    for line in grid[:, 1:].flat:
        line.tick_params(labelleft=False)
    for label, look in USES.values():
        grid[0, 0].plot([], [], linestyle="none", markersize=5, label=label, **look)
    drawing.legend_above(figure, grid[0, 0], columns=4)
    return figure


def _table(axes: Axes, setting: Numbers) -> None:
    names = list(setting["parts"])
    for row, role in enumerate(ROLES):
        for part, use in setting["uses"][role].items():
            axes.plot(names.index(part), row, linestyle="none", markersize=5, **USES[use][1])
    axes.set(xlim=(-0.6, len(names) - 0.4), ylim=(len(ROLES) - 0.4, -0.6))
    axes.set_xticks(range(len(names)), [_label(name, setting["parts"][name]) for name in names])
    axes.set_yticks(range(len(ROLES)), ROLES)
    axes.set_title(setting["title"], fontweight="bold")
    axes.grid(color=drawing.FAINT, linewidth=0.5)
    axes.tick_params(length=0)


def _label(name: str, size: int) -> str:
    """A part's name in lines that fit side by side, and its size."""
    return "\n".join([*name.replace("_", " ").split(), f"{size:,}"])


def words(numbers: Numbers) -> str:
    """Parts and uses of each protocol."""
    tables = "; ".join(
        f"{setting['title']}: parts {', '.join(f'{name} {size}' for name, size in setting['parts'].items())}; "
        + ", ".join(
            f"{role} " + " and ".join(f"{USES[use][0]} of {part}" for part, use in uses.items())
            for role, uses in setting["uses"].items()
        )
        for setting in numbers["settings"]
    )
    return f"Tables of roles by parts. {tables}."


FIGURES = {
    "rows": Figure(
        "charikar2024",
        ("synthetic", "kl", "digits", "molecules"),
        "Who sees which rows: what teacher, student, ceiling and the strong model without teacher fit, select and are "
        "judged on.",
        "who sees which rows: teacher, student, ceiling, control",
        numbers,
        draw,
        words,
    )
}
