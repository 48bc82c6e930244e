"""Few labels: when is the small model the better teacher, and does gain still follow misfit with the roles swapped?"""

from typing import Any

import pandas as pd
import seaborn
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.core.errors import InputError
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.estimates import plain
from pipeline.summary.splits import over_splits_in_logs, ratio_over_splits
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import DATASETS, number
from pipeline.theory.intervals import Estimate

OTHER = {"small": "large", "large": "small"}
TRAININGS = {"frozen": "heads on frozen models", "finetuned": "models finetuned whole"}
LINES = {"teacher": "-", "student": (0, (4, 1.5))}
SHIFT = {("small", "teacher"): 0.94, ("large", "teacher"): 0.98, ("small", "student"): 1.02, ("large", "student"): 1.06}
SMILES = dict(zip(("small", "large"), seaborn.color_palette(drawing.LADDER, 4)[::3], strict=True))
MARKERS = {"small": "^", "large": "s"}
ENOUGH = 30  # labels from which gain / misfit is drawn
TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)  # of errors


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Errors of both models of each pair as teacher and as student, and gain/misfit both ways, by number of labels."""
    cells = tables["molecules"].query("regime == 'few'")
    apart = controls_of(tables, "molecules")
    means = apart[(apart["regime"] == "few") & (apart["control"] == "constant")]
    pairs = [pair for pair in _pairs(cells) if not _between(cells, *pair).empty]
    if not pairs:
        raise InputError(
            "results/molecules/cells.csv has no teachers with few labels; give molecules.weak.few_labels.counts in "
            "params.yaml and run `dvc repro`"
        )
    datasets = [
        {
            "dataset": str(name),
            "pairs": [_pair(group, *pair, settings.confidence) for pair in pairs],
            "mean_of_labels": _baseline(means[means["dataset"] == name], settings.confidence),
        }
        for name, group in cells.groupby("dataset", sort=False)
    ]
    return plain({"reading": _reading(datasets), "confidence": settings.confidence, "datasets": datasets})


def _pairs(cells: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Small model, large model, training: the smallest SMILES transformer with the strong model, with the largest."""
    smiles = cells[cells["ladder"] == "smiles"].drop_duplicates("weak").sort_values("weak_size")["weak"].to_list()
    strong = cells.loc[cells["ladder"] == "strong", "weak"].unique().tolist()
    pairs = [(smiles[0], name, "frozen") for name in strong[:1] if smiles]
    return pairs + ([(smiles[0], smiles[-1], "finetuned")] if len(smiles) > 1 else [])


def _between(cells: pd.DataFrame, small: str, large: str, training: str) -> pd.DataFrame:
    both = [small, large]
    return cells[cells["weak"].isin(both) & cells["strong"].isin(both) & (cells["training"] == training)]


def _pair(cells: pd.DataFrame, small: str, large: str, training: str, confidence: float) -> Numbers:
    chosen = _between(cells, small, large, training)
    counts = sorted(int(count) for count in chosen["n_train"].unique())
    teaches = {"small": chosen[chosen["weak"] == small], "large": chosen[chosen["weak"] == large]}
    taught = {"small": teaches["large"], "large": teaches["small"]}
    errors = {
        "teacher": {model: _by_count(member, "weak_error", counts, confidence) for model, member in teaches.items()},
        "student": {model: _by_count(member, "student_error", counts, confidence) for model, member in taught.items()},
    }
    ratios = {f"{model}_teaches": _ratios(member, counts, confidence) for model, member in teaches.items()}
    worse = [
        large_error.value > small_error.value
        for small_error, large_error in zip(*errors["teacher"].values(), strict=True)
    ]
    return {
        "small": small,
        "large": large,
        "training": training,
        "counts": counts,
        **errors,
        "gain_over_misfit": ratios,
        "large_is_worse": worse,
    }


def _baseline(cells: pd.DataFrame, confidence: float) -> Numbers:
    """Error of the mean of the labels, by their number: what a teacher has to beat."""
    counts = sorted(int(count) for count in cells["n_train"].unique())
    return {"counts": counts, "weak_error": _by_count(cells, "weak_error", counts, confidence)}


def _by_count(cells: pd.DataFrame, column: str, counts: list[int], confidence: float) -> list[Estimate]:
    # A few diverging fits make errors span decades, so means and intervals are taken on the log scale.
    return [
        over_splits_in_logs(cells[cells["n_train"] == count].groupby("split")[column].mean().to_list(), confidence)
        for count in counts
    ]


def _ratios(cells: pd.DataFrame, counts: list[int], confidence: float) -> list[Estimate]:
    by_split = [cells[cells["n_train"] == count].groupby("split")[["gain", "misfit"]].mean() for count in counts]
    return [ratio_over_splits(splits["gain"], splits["misfit"], confidence) for splits in by_split]


def _reading(datasets: list[Numbers]) -> str:
    texts = []
    for place, pair in enumerate(datasets[0]["pairs"]):
        worse = []
        for item in datasets:
            drawn = item["pairs"][place]
            counts = [
                str(count) for count, swapped in zip(drawn["counts"], drawn["large_is_worse"], strict=True) if swapped
            ]
            where = f"at {', '.join(counts)} labels" if counts else "never"
            worse.append(f"{DATASETS[item['dataset']]} {where}")
        texts.append(
            f"{pair['large']} is the worse teacher than {pair['small']} ({pair['training']}): {'; '.join(worse)}"
        )
    return ". ".join(texts) + "."


def draw(numbers: Numbers) -> Picture:
    """A row a pair, a column a data set; last row: gain / misfit."""
    datasets = numbers["datasets"]
    pairs = datasets[0]["pairs"]
    figure = plt.figure(figsize=(drawing.WIDTH, 2.35 * (len(pairs) + 1)))
    parts = figure.subfigures(len(pairs) + 1, 1)
    for row, part in enumerate(parts):
        columns = part.subplots(1, len(datasets), squeeze=False)[0]
        for axes, item in zip(columns, datasets, strict=True):
            if row < len(pairs):
                _errors(axes, item["pairs"][row], item["mean_of_labels"])
                axes.set_ylabel(f"error  [{drawing.UNITS[item['dataset']]}]")
            else:
                _directions(axes, item["pairs"])
                axes.set(xlabel="labels", ylabel="gain / misfit")
            axes.set(xscale="log")
            axes.set_xticks(pairs[0]["counts"], [str(count) for count in pairs[0]["counts"]])
            axes.minorticks_off()
            if row == 0:
                axes.set_title(DATASETS[item["dataset"]], fontweight="bold")
        _key(part, columns[0], TRAININGS[pairs[row]["training"]] if row < len(pairs) else "teacher → student")
    return figure


def _errors(axes: Axes, pair: Numbers, baseline: Numbers) -> None:
    """Errors of both models, as teacher and as student; in grey that of the mean of the labels."""
    for role, line in LINES.items():
        for model, other in OTHER.items():
            look = _look(pair, model)
            face = look["color"] if role == "teacher" else "white"
            label = pair[model] if role == "teacher" else f"{pair[model]} taught by {pair[other]}"
            shift = SHIFT[model, role]
            kind = {"label": label, "linestyle": line, "markerfacecolor": face, **look}
            _curve(axes, [shift * count for count in pair["counts"]], pair[role][model], **kind)
    means = [value["value"] for value in baseline["weak_error"]]
    axes.plot(baseline["counts"], means, color=drawing.SOFT, linestyle=":", label="mean of the labels", zorder=2)
    values = [value["value"] for role in LINES for model in OTHER for value in pair[role][model]] + means
    low, high = min(values) / 1.7, max(values) * 1.7
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.set(yscale="log", ylim=(low, high))
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])


def _directions(axes: Axes, pairs: list[Numbers]) -> None:
    """gain / misfit of every direction; the second pair with thin dotted lines.

    With fewer labels both are mostly the shrinkage of a teacher that is worse than the mean, so they are left out.
    """
    everything = []
    for pair, line in zip(pairs, ("-", ":"), strict=False):
        for model, other in OTHER.items():
            every = zip(pair["counts"], pair["gain_over_misfit"][f"{model}_teaches"], strict=True)
            shown = {count: value for count, value in every if count >= ENOUGH}
            shift = SHIFT[model, "teacher" if line == "-" else "student"]
            kind = {"label": f"{pair[model]} → {pair[other]}", "linestyle": line, **_look(pair, model)}
            _curve(axes, [shift * count for count in shown], list(shown.values()), **kind)
            everything += [value["value"] for value in shown.values()]
    axes.axhline(1, color=drawing.INK, linewidth=0.8, zorder=1)
    axes.axhline(0, color=drawing.FAINT, linewidth=0.8, zorder=1)
    axes.set(ylim=(min([-0.5, *everything]) - 0.4, max([1.2, *everything]) + 0.4))


def _look(pair: Numbers, model: str) -> dict[str, Any]:
    """One colour and marker for each model: SMILES transformers light and dark, the strong model black."""
    if not pair[model].startswith("smiles"):
        return {"color": drawing.INK, "marker": "D"}
    return {"color": SMILES[model], "marker": MARKERS[model]}


def _curve(axes: Axes, places: list[float], values: list[Numbers], color: Any, **line: Any) -> None:
    """Values by number of labels with their intervals."""
    axes.plot(places, [value["value"] for value in values], markersize=4.2, color=color, zorder=3, **line)
    for place, value in zip(places, values, strict=True):
        if value["low"] is not None:
            axes.plot([place, place], [value["low"], value["high"]], color=color, linewidth=0.8, alpha=0.55, zorder=2)


def _key(part: Any, axes: Axes, title: str) -> None:
    handles, labels = axes.get_legend_handles_labels()
    spacing = {"handlelength": 2.2, "columnspacing": 1.2, "handletextpad": 0.4, "alignment": "left"}
    look = {"title": title, "title_fontproperties": {"weight": "bold"}, "ncols": 3 if len(labels) > 4 else 4, **spacing}
    part.legend(handles, labels, loc="outside upper left", **look)


def words(numbers: Numbers) -> str:
    """Error of both teachers at the fewest and the most labels."""
    texts = []
    for dataset in numbers["datasets"]:
        for pair in dataset["pairs"]:
            ends = " and ".join(
                f"{pair['counts'][place]} labels: {number(pair['teacher']['small'][place]['value'])} "
                f"against {number(pair['teacher']['large'][place]['value'])}"
                for place in (0, -1)
            )
            names = f"{pair['small']} against {pair['large']} ({pair['training']})"
            texts.append(f"{DATASETS[dataset['dataset']]}, {names}: {ends}.")
    return f"Error of two teachers against the number of labels. {' '.join(texts)}"


FIGURES = {
    "charikar_low_sample": Figure(
        source="charikar2024",
        cells=("molecules",),
        caption="Few labels: when the small model is the better teacher.",
        shows="few labels: when the small model is the better teacher",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
