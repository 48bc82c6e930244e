"""The figures of the language-model study: accuracy and calibration, PGR, losses and noise, over-optimisation.

Every interval is over seeds.  Each seed after the first draws the truth, weak and test rows anew, so that the intervals
hold the luck of training and of the test rows; the seeds share rows, so they are somewhat too short for new texts.
Networks finetuned whole are trained once: their intervals are over test rows alone.
PGR is a ratio of means over seeds, and undefined where the interval of the gap (ceiling - weak) reaches zero.
"""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from pipeline.core.config import Intervals
from pipeline.summary.charikar import Figure
from pipeline.summary.estimates import gain_over_rows, over_rows, over_units, plain, ratio_over_units
from pipeline.summary.tables import Tables
from pipeline.theory.intervals import Estimate

STUDY = "published/preferences"
ROLES = ("weak", "student", "ceiling")


def accuracies(tables: Tables, settings: Intervals) -> dict[str, Any]:
    """Accuracy and calibration error of teacher, student and ceiling at the focus, by data set and teacher."""
    cells = naive(tables[STUDY])
    groups = []
    for (dataset, weak), own in at_focus(tables[STUDY], cells).groupby(["dataset", "weak"]):
        columns = [f"{role}_{measure}" for measure in ("accuracy", "ece") for role in ROLES]
        over = {column: mean(own, column, settings) for column in columns}
        groups.append({"dataset": dataset, "weak": weak, **over, "accuracy_gain": accuracy_gain(own, settings)})
    groups.extend(finetuned(tables[STUDY], settings))
    groups.sort(key=lambda group: (group["dataset"], "head" in group, group["weak_accuracy"].value))
    better = [group for group in groups if group["accuracy_gain"].low > 0]
    reading = f"The student beats its teacher beyond the interval in {len(better)} of {len(groups)} settings."
    return plain({**stated(cells, settings), "reading": reading, "groups": groups})


def finetuned(cells: pd.DataFrame, settings: Intervals) -> list[dict[str, Any]]:
    """The same of every network trained whole or by adapters; over its test rows, since each is trained once."""
    groups = []
    for _, cell in cells[cells["head"].isin(["full", "lora"])].iterrows():
        rows, line = int(cell["n_eval"]), (-math.inf, math.inf)
        found: dict[str, Any] = {name: cell[name] for name in ("dataset", "weak", "head", "n_train")}
        for role in ROLES:
            found[f"{role}_accuracy"] = over_rows(cell[f"{role}_accuracy"], rows, settings.confidence)
            found[f"{role}_ece"] = Estimate(cell[f"{role}_ece"], *line, rows)
        groups.append({**found, "accuracy_gain": gain_over_rows(cell, settings.confidence)})
    return groups


def recovered(tables: Tables, settings: Intervals) -> dict[str, Any]:
    """PGR of every teacher and strong rung with plain cross-entropy, and the share of pairs where it is undefined."""
    cells = naive(tables[STUDY])
    pairs = [
        {"dataset": dataset, "weak": weak, "strong": strong, **recovery(own, settings)}
        for (dataset, weak, strong), own in cells.groupby(["dataset", "weak", "strong"])
    ]
    undefined = sum(pair["pgr"] is None for pair in pairs)
    reading = f"PGR is undefined in {undefined} of {len(pairs)} pairs: the ceiling is not surely above the teacher."
    shown = {"weak": _ordered(cells, "weak", "weak_accuracy"), "strong": _ordered(cells, "strong", "ceiling_accuracy")}
    return plain({**stated(cells, settings), "reading": reading, "order": shown, "pairs": pairs})


def losses(tables: Tables, settings: Intervals) -> dict[str, Any]:
    """Accuracy of each loss less that of cross-entropy, means over teachers; and accuracy by label noise."""
    cells = tables[STUDY]
    main = at_focus(cells, cells[(cells["panel"] == "main") & (cells["head"] == "frozen")])
    compared = [
        {"dataset": dataset, "loss": loss, "labels": kind, "difference": _against_plain(main, own, settings)}
        for (dataset, loss, kind), own in main.groupby(["dataset", "loss", "labels"])
        if (loss, kind) != ("cross_entropy", "soft")
    ]
    noisy = cells[cells["panel"] == "noise"]
    curves = [
        {"dataset": dataset, "weak": weak, "loss": loss, **_along(own, "noise", ("student_accuracy",), settings)}
        for (dataset, weak, loss), own in noisy.groupby(["dataset", "weak", "loss"])
    ]
    clear = [row for row in compared if row["difference"].low > 0 or row["difference"].high < 0]
    reading = f"{len(clear)} of {len(compared)} losses differ from soft cross-entropy beyond the interval over seeds."
    return plain({**stated(cells, settings), "reading": reading, "compared": compared, "noise": curves})


def overoptimisation(tables: Tables, settings: Intervals) -> dict[str, Any]:
    """Accuracy, calibration error and disagreement with the teacher along training, by loss and learning rate."""
    cells = tables[STUDY]
    columns = ("student_accuracy", "student_ece", "disagreement")
    groups = []
    for (dataset, weak, loss, rate), own in cells[cells["panel"] == "curve"].groupby(["dataset", "weak", "loss", "lr"]):
        levels = {f"weak_{name}": mean(own, f"weak_{name}", settings) for name in ("accuracy", "ece")}
        kind = {"dataset": dataset, "weak": weak, "loss": loss, "lr": rate}
        groups.append({**kind, **levels, **_along(own, "epoch", columns, settings)})
    lost = [max(_values(group, columns[0])) - _values(group, columns[0])[-1] for group in groups]
    reading = f"From the best epoch to the last, students lose up to {max(lost):.3f} of accuracy."
    return plain({**stated(cells, settings), "reading": reading, "groups": groups})


def naive(cells: pd.DataFrame) -> pd.DataFrame:
    """Frozen students of cross-entropy on the teacher's soft labels."""
    main = cells[(cells["panel"] == "main") & (cells["head"] == "frozen")]
    return main[(main["loss"] == "cross_entropy") & (main["labels"] == "soft")]


def at_focus(cells: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """Those on the strong rung on which all losses were run: the one of the curves."""
    return chosen[chosen["strong"] == cells.loc[cells["panel"] == "curve", "strong"].iloc[0]]


def recovery(cells: pd.DataFrame, settings: Intervals) -> dict[str, Any]:
    """PGR over seeds with the gap it rests on; None where undefined, or over a single seed."""
    by_seed = cells.groupby("seed")[["weak_accuracy", "student_accuracy", "ceiling_accuracy"]].mean()
    gained = by_seed["student_accuracy"] - by_seed["weak_accuracy"]
    gap = by_seed["ceiling_accuracy"] - by_seed["weak_accuracy"]
    over = over_units("gap", gap.to_list(), settings.confidence)
    if not over.low > 0:
        return {"gap": over, "pgr": None}
    return {"gap": over, "pgr": ratio_over_units(gained.to_list(), gap.to_list(), settings.confidence)}


def mean(cells: pd.DataFrame, column: str, settings: Intervals) -> Estimate:
    """Mean of a column within each seed, then over seeds."""
    return over_units(column, cells.groupby("seed")[column].mean().to_list(), settings.confidence)


def accuracy_gain(cells: pd.DataFrame, settings: Intervals) -> Estimate:
    """Student less teacher, paired by seed."""
    gained = cells.assign(gained=cells["student_accuracy"] - cells["weak_accuracy"])
    return mean(gained, "gained", settings)


def stated(cells: pd.DataFrame, settings: Intervals) -> dict[str, Any]:
    """What every figure says of its sample."""
    rows = cells.groupby("dataset")[["n_train", "n_eval"]].max().astype(int).to_dict("index")
    return {"confidence": settings.confidence, "seeds": int(cells["seed"].nunique()), "rows": rows}


def _against_plain(main: pd.DataFrame, own: pd.DataFrame, settings: Intervals) -> Estimate:
    plain_ce = naive(main[main["dataset"] == own["dataset"].iloc[0]])
    keys = ["seed", "weak"]
    paired = own.set_index(keys)["student_accuracy"] - plain_ce.set_index(keys)["student_accuracy"]
    return over_units("difference", paired.groupby("seed").mean().to_list(), settings.confidence)


def _along(cells: pd.DataFrame, column: str, measures: Iterable[str], settings: Intervals) -> dict[str, Any]:
    steps = sorted(cells[column].unique())
    found = {measure: [mean(cells[cells[column] == step], measure, settings) for step in steps] for measure in measures}
    return {f"{column}s": steps, **found}


def _values(group: dict[str, Any], column: str) -> list[float]:
    return [estimate.value for estimate in group[column]]


def _ordered(cells: pd.DataFrame, column: str, measure: str) -> list[str]:
    return cells.groupby(column)[measure].mean().sort_values().index.to_list()


FIGURES: dict[str, Figure] = {
    "yao_preferences": Figure(
        STUDY,
        "preferences",
        "Language models: accuracy and calibration of teacher, student and ceiling on preference pairs and questions.",
        accuracies,
    ),
    "yao_preferences_overoptimisation": Figure(
        STUDY,
        "preferences",
        "Language models: students trained ever longer on weak labels, by loss and learning rate.",
        overoptimisation,
    ),
    "burns_pgr": Figure(
        STUDY,
        "preferences",
        "Performance gap recovered by each pair of teacher and student; a dash where the gap is within noise.",
        recovered,
    ),
    "losses_noise": Figure(
        STUDY,
        "preferences",
        "Losses compared with cross-entropy, and accuracy when a share of the weak labels is turned round.",
        losses,
    ),
}
