"""Reliability of each teacher, of its student by cross-entropy after the last epoch, and of the ceiling."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.digits.common.splits import one_hot, unit
from pipeline.experiments.digits.common.students import ceiling, predict, runs, teacher
from pipeline.experiments.digits.settings import CLASSES, Settings
from pipeline.measures import diagrams


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """The diagrams of every split."""
    labels = upstream["data"]["digits"]["labels"]
    names = ("data", "represent", "weak", "strong")
    tables = [
        diagram(split, settings, labels, *(upstream[name][unit(split)] for name in names))
        for split in range(settings.data.splits)
    ]
    return {"reliability": pd.concat(tables, ignore_index=True)[[*diagrams.COLUMNS]]}


def diagram(
    split: int, settings: Settings, labels: Any, parts: Arrays, represent: Arrays, weak: Arrays, fitted: Arrays
) -> pd.DataFrame:
    """Diagrams of one split's test images."""
    images, floor = parts["test"], settings.data.floor
    truth = one_hot(labels[images], CLASSES)
    views = {name: view[images] for name, view in represent.items()}
    width, rate = settings.represent.widths[-1], settings.strong.learning_rates[0]
    names = next(names for *cell, names in runs(settings) if cell == [width, "cross_entropy", rate])
    heads = fitted[f"{width}/cross_entropy/{rate:g}"][-1]
    best, tables = ceiling(settings, width, views, fitted), []
    for model in settings.represent.teachers:
        clean = f"{model}/0/1"
        student = predict(views[f"strong-{width}"], heads[names.index(clean)], floor)
        roles = {"weak": teacher(clean, views, weak, floor), "student": student, "ceiling": best}
        tables.append(diagrams.table(truth, roles, settings.evaluate.bins).assign(weak=model))
    found = pd.concat(tables, ignore_index=True)
    return found.assign(strong=f"random-{width}", split=f"{split}", seed=settings.data.seed)
