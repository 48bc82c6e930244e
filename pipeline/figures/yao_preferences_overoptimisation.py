"""Language models: students trained ever longer on weak labels, by loss and learning rate (Yao et al. 2025)."""

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.language_models import STUDY, along, by_dataset, mean, stated
from pipeline.summary.estimates import plain
from pipeline.summary.tables import Tables
from pipeline.summary.words import number

COLUMNS = {"student_accuracy": "test accuracy", "student_ece": "ECE", "disagreement": "disagreement with teacher"}
LEVELS = {"student_accuracy": "weak_accuracy", "student_ece": "weak_ece"}  # of the teacher
STROKES = ("-", "--", ":")


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Accuracy, calibration error and disagreement with the teacher along training, by loss and learning rate."""
    cells = tables[STUDY]
    groups = []
    for (dataset, weak, loss, rate), own in cells[cells["panel"] == "curve"].groupby(["dataset", "weak", "loss", "lr"]):
        levels = {name: mean(own, name, settings) for name in LEVELS.values()}
        kind = {"dataset": dataset, "weak": weak, "loss": loss, "lr": rate}
        groups.append({**kind, **levels, **along(own, "epoch", COLUMNS, settings)})
    accuracies = [[estimate.value for estimate in group["student_accuracy"]] for group in groups]
    lost = max(max(values) - values[-1] for values in accuracies)
    reading = f"From the best epoch to the last, students lose up to {lost:.3f} of accuracy."
    return plain({**stated(cells, settings), "reading": reading, "groups": groups})


def draw(numbers: Numbers) -> Picture:
    """A row a data set and teacher; accuracy, calibration error and disagreement along training."""
    rows = list(dict.fromkeys((group["dataset"], group["weak"]) for group in numbers["groups"]))
    rates = sorted({group["lr"] for group in numbers["groups"]}, reverse=True)
    size = (drawing.WIDTH, 0.8 + 1.45 * len(rows))
    figure, grid = plt.subplots(len(rows), len(COLUMNS), figsize=size, sharex=True, squeeze=False)
    for row, (dataset, weak) in zip(grid, rows, strict=True):
        groups = [group for group in numbers["groups"] if (group["dataset"], group["weak"]) == (dataset, weak)]
        for axes, quantity in zip(row, COLUMNS, strict=True):
            _curves(axes, groups, quantity, rates)
        row[0].set_ylabel(f"{dataset}:\n{weak}", fontweight="bold")
    for axes, title in zip(grid[0], COLUMNS.values(), strict=True):
        axes.set_title(title)
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
    drawing.legend_above(figure, grid[0, 0], columns=4)
    return figure


def _curves(axes: Axes, groups: list[Numbers], quantity: str, rates: list[float]) -> None:
    for group in groups:
        line = STROKES[rates.index(group["lr"]) % len(STROKES)]
        label = f"{drawing.spoken(group['loss'])}, rate {group['lr']:g}"
        look = {"label": label, "linestyle": line, "markersize": 3, **drawing.loss_style(group["loss"])}
        drawing.band(axes, group["epochs"], group[quantity], alpha=0.08, **look)
    if quantity in LEVELS:
        level = groups[0][LEVELS[quantity]]["value"]
        axes.axhline(level, color=drawing.ROLE_COLOURS["weak"], linewidth=0.9, linestyle="-.", label="teacher")
    axes.set(xscale="log")


def words(numbers: Numbers) -> str:
    """By data set: the curve that loses most from its best epoch to its last."""
    texts = []
    for dataset, groups in by_dataset(numbers["groups"]).items():
        worst = max(groups, key=_lost)
        values = _accuracies(worst)
        best = values.index(max(values))
        kind = f"{worst['weak']}, {worst['loss'].replace('_', ' ')}, rate {worst['lr']:g}"
        texts.append(
            f"{dataset}, {len(groups)} curves; most is lost by {kind}: {number(values[best])} at "
            f"epoch {worst['epochs'][best]:g}, {number(values[-1])} at epoch {worst['epochs'][-1]:g}."
        )
    return f"Student's accuracy and calibration against epochs on weak labels. {' '.join(texts)} {numbers['reading']}"


def _accuracies(group: Numbers) -> list[float]:
    return [estimate["value"] for estimate in group["student_accuracy"]]


def _lost(group: Numbers) -> float:
    values = _accuracies(group)
    return max(values) - values[-1]


FIGURES = {
    "yao_preferences_overoptimisation": Figure(
        source="yao2025",
        cells=(STUDY,),
        caption="Language models: students trained ever longer on weak labels, by loss and learning rate.",
        shows="language models: accuracy and calibration along training on weak labels",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
