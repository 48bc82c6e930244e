"""Which weak model to learn from?  Regret of the selection rules on each molecule set, and the paper's own table."""

from collections.abc import Iterable
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.charikar_molecules import HEADS, INPUTS, PROTOCOLS, full_labels
from pipeline.summary.estimates import plain
from pipeline.summary.selection import PAPER, SAMPLES, by_draw, regret
from pipeline.summary.splits import over_splits
from pipeline.summary.tables import Tables
from pipeline.summary.words import DATASETS, number, written
from pipeline.theory import selection

NAMES = {
    "smallest_difference": "smallest\n(weak error − misfit)",
    "lowest_weak_error": "lowest weak error",
    "highest_misfit": "highest misfit",
    "largest_model": "largest model",
    "best_student": "lowest student error",
}
ASIDE = {"test": -0.13, "valid": 0.13}
FREE = ("best_student", "test")  # zero by definition, so not drawn
SPLIT = {"markersize": 3.8, "markeredgewidth": 0.5, "markeredgecolor": "white", "color": drawing.SOFT}
BY_LOT = {"color": drawing.SOFT, "linestyle": (0, (5, 2)), "linewidth": 0.9}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Regret of every rule by data set and sample, mean over random splits; ChemBench's own are marked.

    Candidates are the SMILES ladder of the seed that has all its rungs.
    """
    cells, (head, inputs) = full_labels(tables["molecules"]).query("ladder == 'smiles'"), PROTOCOLS[0]
    cells = cells[(cells["head"] == head) & (cells["inputs"] == inputs)]
    cells = cells[cells["seed"] == cells.groupby("seed")["weak_size"].nunique().idxmax()]
    datasets = [_dataset(str(name), group, settings.confidence) for name, group in cells.groupby("dataset", sort=False)]
    rules = [{"rule": name, "needs": rule.needs, "meaning": rule.meaning} for name, rule in selection.RULES.items()]
    return plain(
        {
            "reading": _reading(datasets),
            "head": head,
            "inputs": inputs,
            "confidence": settings.confidence,
            "rules": rules,
            "datasets": datasets,
        }
    )


def _dataset(name: str, cells: pd.DataFrame, confidence: float) -> Numbers:
    marked = cells[cells["panel"] == "chembench"]
    random = cells[cells["panel"] == "random"]
    chosen = marked if random.empty else random
    splits, shown = ([list(by_draw(group)) for _, group in table.groupby("split")] for table in (chosen, marked))
    by_lot = [
        float(np.mean([selection.expected_regret_at_random(draw["student_error"]) for draw in draws]))
        for draws in splits
    ]
    return {
        "dataset": name,
        "splits": sorted(marked["split"].unique().tolist()),
        "by_lot": over_splits(by_lot, confidence),
        "best_student_error": over_splits([min(_mean(draws, "student_error")) for draws in splits], confidence),
        "regrets": [
            _regrets(rule, sample, splits, shown, confidence) for rule in selection.RULES for sample in SAMPLES
        ],
        "table": _table(chosen),
    }


def _regrets(
    rule: str, sample: str, splits: list[list[pd.DataFrame]], shown: list[list[pd.DataFrame]], confidence: float
) -> Numbers:
    values, marked = (
        [float(np.mean([regret(draw, rule, sample) for draw in draws])) for draws in either]
        for either in (splits, shown)
    )
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    mean = over_splits(values, confidence)
    return {"rule": rule, "sample": sample, "values": marked, "spread": spread, "mean": mean}


def _table(cells: pd.DataFrame) -> list[Numbers]:
    """A's table: for each weak model (weak error - misfit) and the student's error, mean and deviation over splits."""
    rows = []
    for size, group in cells.assign(difference=cells["weak_error"] - cells["misfit"]).groupby("weak_size"):
        splits = group.groupby("split")[["difference", "student_error", "weak_error", "misfit"]].mean()
        rows.append(
            {
                "size": int(size),
                **{f"{name}": {"mean": splits[name].mean(), "deviation": splits[name].std()} for name in splits},
            }
        )
    return rows


def _mean(draws: list[pd.DataFrame], column: str) -> list[float]:
    return np.mean([draw.sort_values("weak_size")[column] for draw in draws], axis=0).tolist()


def _reading(datasets: list[Numbers]) -> str:
    texts = []
    for item in datasets:
        paper = next(entry for entry in item["regrets"] if (entry["rule"], entry["sample"]) == (PAPER, "test"))
        texts.append(f"{DATASETS[item['dataset']]} {written(plain(paper['mean']))} (by lot {item['by_lot'].value:.2f})")
    protocol = f"{HEADS[PROTOCOLS[0][0]]}, {INPUTS[PROTOCOLS[0][1]]}"
    return f"Regret of the smallest (weak error - misfit), squared label units ({protocol}): {', '.join(texts)}."


def draw(numbers: Numbers) -> Picture:
    """A column a data set, a row a rule."""
    datasets, rules = numbers["datasets"], numbers["rules"]
    figure, row = plt.subplots(1, len(datasets), figsize=(drawing.WIDTH, 3.3), sharey=True, squeeze=False)
    for axes, dataset in zip(row.flat, datasets, strict=True):
        _regret(axes, dataset, [rule["rule"] for rule in rules])
    row[0, 0].set_yticks(range(len(rules)), [f"{NAMES[rule['rule']]}\n[{rule['needs']}]" for rule in rules])
    row[0, 0].set_ylim(len(rules) - 0.5, -0.5)
    row[0, 0].get_yticklabels()[[rule["rule"] for rule in rules].index(PAPER)].set_color(drawing.HIGHLIGHT)
    splits = zip(datasets[0]["splits"], cycle(drawing.SPLIT_MARKERS), strict=False)
    figure.legend(handles=_key(splits), loc="outside lower center", ncols=3, columnspacing=1.2, handletextpad=0.3)
    return figure


def _regret(axes: Axes, dataset: Numbers, rules: list[str]) -> None:
    """Small marks are ChemBench's splits, large ones means over random ones; filled where read off test molecules."""
    for entry in (one for one in dataset["regrets"] if (one["rule"], one["sample"]) != FREE):
        y = rules.index(entry["rule"]) + ASIDE[entry["sample"]]
        colour, filled = drawing.HIGHLIGHT if entry["rule"] == PAPER else drawing.INK, entry["sample"] == "test"
        look = {"marker": "o", "markersize": 5.5} if filled else {"marker": "D", "markersize": 4.5}
        edge = {"markeredgewidth": 1, "markeredgecolor": colour, "markerfacecolor": colour if filled else "white"}
        low = entry["mean"]["low"]
        mean = {**entry["mean"], "low": None if low is None else max(low, 0)}
        drawing.horizontal_interval(axes, y, mean, color=colour, **look, **edge)
        for split, value in zip(cycle(drawing.SPLIT_MARKERS), entry["values"], strict=False):
            axes.plot(value, y, marker=split, zorder=2.5, **SPLIT)
    axes.axvline(dataset["by_lot"]["value"], zorder=1, **BY_LOT)
    axes.set(xlabel=f"regret  [{drawing.UNITS[dataset['dataset']]}]")
    axes.set_xlim(left=-0.04 * axes.get_xlim()[1])
    axes.tick_params(axis="y", length=0)
    axes.set_title(DATASETS[dataset["dataset"]], fontweight="bold")


def _key(splits: Iterable[tuple[str, str]]) -> list[Line2D]:
    """What filled, open, small and dashed mean."""
    filled = {"marker": "o", "markersize": 5.5, "label": "rule read off the test molecules"}
    opened = {"marker": "D", "markersize": 4.5, "markerfacecolor": "white", "label": "off the validation part"}
    looks = [{"color": drawing.INK, **filled}, {"color": drawing.INK, **opened}]
    looks += [{"marker": marker, "label": f"ChemBench {split}", **SPLIT} for split, marker in splits]
    marks = [Line2D([], [], linestyle="none", **look) for look in looks]
    return [*marks[:2], Line2D([], [], label="by lot", **BY_LOT), *marks[2:]]


def words(numbers: Numbers) -> str:
    """Regret of each rule on test molecules, by data set."""
    texts = []
    for dataset in numbers["datasets"]:
        regrets = ", ".join(
            f"{entry['rule'].replace('_', ' ')} {number(entry['mean']['value'])}"
            for entry in dataset["regrets"]
            if entry["sample"] == "test"
        )
        texts.append(f"{DATASETS[dataset['dataset']]}: {regrets}, by lot {number(dataset['by_lot']['value'])}.")
    return f"Mean regret over splits, read off test molecules. {' '.join(texts)}"


FIGURES = {
    "charikar_selection": Figure(
        source="charikar2024",
        cells=("molecules",),
        caption="Which weak model to learn from: regret of the selection rules.",
        shows="does weak error − misfit pick the best student?",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
