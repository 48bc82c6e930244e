"""Language models on preference pairs and questions: accuracy and calibration of the three roles (Yao et al. 2025)."""

import math

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.language_models import STUDY, at_focus, by_dataset, mean, naive, stated
from pipeline.summary.estimates import gain_over_rows, over_rows, plain
from pipeline.summary.tables import Tables
from pipeline.summary.words import number, span
from pipeline.summary.yao_students import ROLES
from pipeline.theory.intervals import Estimate

ASIDE = {"weak": -0.22, "student": 0.0, "ceiling": 0.22}
MEASURES = {"accuracy": "test accuracy", "ece": "ECE"}
CAPTION = "Language models: accuracy and calibration of teacher, student and ceiling on preference pairs and questions."
SLANTED = {"ha": "right", "va": "center", "rotation_mode": "anchor"}
TRAINED = {"full": "whole", "lora": "adapters"}


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Accuracy and calibration error of teacher, student and ceiling at the focus, by data set and teacher."""
    cells = naive(tables[STUDY])
    groups = []
    for (dataset, weak), own in at_focus(tables[STUDY], cells).groupby(["dataset", "weak"]):
        columns = [f"{role}_{measure}" for measure in MEASURES for role in ROLES]
        over = {column: mean(own, column, settings) for column in columns}
        gained = own.assign(gained=own["student_accuracy"] - own["weak_accuracy"])  # paired by seed
        groups.append({"dataset": dataset, "weak": weak, **over, "accuracy_gain": mean(gained, "gained", settings)})
    groups.extend(_finetuned(tables[STUDY], settings))
    groups.sort(key=lambda group: (group["dataset"], "head" in group, group["weak_accuracy"].value))
    better = [group for group in groups if group["accuracy_gain"].low > 0]
    reading = f"The student beats its teacher beyond the interval in {len(better)} of {len(groups)} settings."
    return plain({**stated(cells, settings), "reading": reading, "groups": groups})


def _finetuned(cells: pd.DataFrame, settings: Intervals) -> list[Numbers]:
    """The same of every network trained whole or by adapters; over its test rows, since each is trained once."""
    groups = []
    for _, cell in cells[cells["head"].isin(list(TRAINED))].iterrows():
        rows, line = int(cell["n_eval"]), (-math.inf, math.inf)
        found: Numbers = {name: cell[name] for name in ("dataset", "weak", "head", "n_train")}
        for role in ROLES:
            found[f"{role}_accuracy"] = over_rows(cell[f"{role}_accuracy"], rows, settings.confidence)
            found[f"{role}_ece"] = Estimate(cell[f"{role}_ece"], *line, rows)
        groups.append({**found, "accuracy_gain": gain_over_rows(cell, settings.confidence)})
    return groups


def draw(numbers: Numbers) -> Picture:
    """A column a data set; teachers from weak to strong; accuracy above, calibration error below."""
    sets = by_dataset(numbers["groups"])
    figure, grid = plt.subplots(2, len(sets), figsize=(drawing.WIDTH, 4.6), sharex="col", squeeze=False)
    for column, (name, groups) in zip(grid.T, sets.items(), strict=True):
        for axes, measure in zip(column, MEASURES, strict=True):
            _roles(axes, groups, measure)
        rows = numbers["rows"][name]
        column[0].set_title(f"{name}\n{rows['n_train']:,} weak, {rows['n_eval']:,} test rows")
        column[1].set_xticks(range(len(groups)), [_taught(group) for group in groups], rotation=55, **SLANTED)
    for axes, label in zip(grid[:, 0], MEASURES.values(), strict=True):
        axes.set_ylabel(label)
    drawing.legend_above(figure, grid[0, 0], columns=3)
    return figure


def _roles(axes: Axes, groups: list[Numbers], measure: str) -> None:
    for place, group in enumerate(groups):
        for role, shift in ASIDE.items():
            look = {"label": role if place == 0 else None, **drawing.role_style(role)}
            drawing.vertical_interval(axes, place + shift, group[f"{role}_{measure}"], **look)


def _taught(group: Numbers) -> str:
    """Teacher; where the student is no head on frozen features also how it was trained, and on how many rows."""
    return f"{group['weak']}, {TRAINED[group['head']]} ({group['n_train']})" if "head" in group else group["weak"]


def words(numbers: Numbers) -> str:
    """By data set: accuracies of the roles, and the student's largest step above its teacher."""
    texts = []
    for dataset, groups in by_dataset(numbers["groups"]).items():
        best = max(groups, key=lambda group: group["accuracy_gain"]["value"])
        roles = ", ".join(f"{role} {span(group[f'{role}_accuracy']['value'] for group in groups)}" for role in ROLES)
        gained = f"the student gains most over {best['weak']}: {number(best['accuracy_gain']['value'])}"
        texts.append(f"{dataset}, {len(groups)} settings: accuracy {roles}; {gained}.")
    return f"{' '.join(texts)} {numbers['reading']}"


FIGURES = {
    "yao_preferences": Figure(
        source="yao2025",
        cells=(STUDY,),
        caption=CAPTION,
        shows="language models: accuracy and calibration on preference pairs and SciQ",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
