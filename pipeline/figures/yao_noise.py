"""Label noise: forward cross-entropy against reverse KL (the sibling of Yao et al. 2025 on reverse KL)."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.training_curves import LOSSES, NAMES, along_training, by_teacher, curves, early_stop
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.tables import Tables
from pipeline.summary.words import number

STROKES = {"early": "-", "last": ":"}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Accuracy by label noise for forward cross-entropy and reverse KL, and their paired difference, at two epochs."""
    groups = []
    for experiment, unit, weak, cells in along_training(tables):
        noisy = cells[(cells["sharpening"] == 1) & (cells["lr"] == cells["lr"].max())]
        for stop in STROKES:
            groups.append(
                {
                    "experiment": experiment,
                    "weak": weak,
                    "stop": stop,
                    **_group(experiment, unit, noisy, stop, settings),
                }
            )
    with_noise = [value for group in groups for value in group["reverse_minus_forward"][1:]]
    better, worse = sum(value.low > 0 for value in with_noise), sum(value.high < 0 for value in with_noise)
    total = len(with_noise)
    reading = f"Of {total} noisy settings reverse KL is more accurate in {better}, less accurate in {worse}."
    return plain({"reading": reading, "confidence": settings.confidence, "groups": groups})


def _group(experiment: str, unit: str, cells: pd.DataFrame, stop: str, settings: Intervals) -> Numbers:
    rates, shared = sorted(cells["noise"].unique()), overlap(experiment, unit)
    means = {
        (loss, rate): _stopped(unit, cells[(cells["loss"] == loss) & (cells["noise"] == rate)], stop)
        for loss in LOSSES
        for rate in rates
    }
    accuracy = {
        loss: [over_units("accuracy", means[loss, rate], settings.confidence, shared) for rate in rates]
        for loss in LOSSES
    }
    paired = [np.subtract(means["reverse_kl", rate], means["cross_entropy", rate]) for rate in rates]
    difference = [over_units("difference", values, settings.confidence, shared) for values in paired]
    return {"noise": rates, "accuracy": accuracy, "reverse_minus_forward": difference}


def _stopped(unit: str, cells: pd.DataFrame, stop: str) -> list[float]:
    each = curves(unit, cells)
    epochs = [early_stop(curve) if stop == "early" else curve.index[-1] for curve in each]
    return [float(curve["student_accuracy"][epoch]) for curve, epoch in zip(each, epochs, strict=True)]


def draw(numbers: Numbers) -> Picture:
    """Top: accuracy by noise.  Bottom: reverse minus forward; solid at the early stop, dotted at the last epoch."""
    columns = by_teacher(numbers)
    figure, grid = plt.subplots(2, len(columns), figsize=(drawing.WIDTH, 4.2), sharex=True, squeeze=False)
    for (top, bottom), ((experiment, weak), groups) in zip(grid.T, columns.items(), strict=True):
        for group in groups:
            line = STROKES[group["stop"]]
            for loss, values in group["accuracy"].items():
                label = f"{NAMES[loss]}, {group['stop']}"
                look = {"label": label, "linestyle": line, **drawing.loss_style(loss)}
                drawing.band(top, group["noise"], values, **look)
            drawing.band(bottom, group["noise"], group["reverse_minus_forward"], color=drawing.INK, linestyle=line)
        bottom.axhline(0, color=drawing.SOFT, linewidth=0.7)
        top.set_title(f"{experiment}: {drawing.spoken(weak)}")
        bottom.set_xlabel("label noise")
    grid[0, 0].set_ylabel("accuracy")
    grid[1, 0].set_ylabel("reverse − forward")
    drawing.legend_above(figure, grid[0, 0], columns=4)
    return figure


def words(numbers: Numbers) -> str:
    """Accuracy of both losses without noise and at the most noise."""
    texts = []
    for group in numbers["groups"]:
        ends = ", ".join(
            f"{loss.replace('_', ' ')} {number(values[0]['value'])} to {number(values[-1]['value'])}"
            for loss, values in group["accuracy"].items()
        )
        texts.append(f"{group['weak'].replace('_', ' ')}, stop {group['stop']}: {ends}")
    most = numbers["groups"][0]["noise"][-1]
    return f"Accuracy from no noise to {most:.0%} of labels turned round. {'; '.join(texts)}. {numbers['reading']}"


FIGURES = {
    "yao_noise": Figure(
        source="yao2025reverse",
        cells=("kl", "digits"),
        caption="Label noise: forward cross-entropy against reverse KL.",
        shows="label noise: cross-entropy against reverse KL",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
