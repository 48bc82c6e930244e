"""Points of the interactive scatter: gain and misfit of single cells, with the names that a reader asks for.

The cells are those of Figure 2 a-f (the authors' protocol) and of the KL figure.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pipeline.figures.charikar_molecules import PROTOCOLS as MOLECULES
from pipeline.figures.charikar_molecules import RECALLED, STUDY
from pipeline.figures.charikar_synthetic import PROTOCOLS as SYNTHETIC
from pipeline.summary.tables import Tables
from pipeline.summary.words import DATASETS
from pipeline.summary.yao_students import PANELS, STUDENTS, of, solved

LARGEST = 600  # points of one view; of more, every k-th cell is drawn, and the page says so
DIGITS = 5  # significant
NAMED = ("experiment", "weak", "strong", "task", "seed", "split")
CLASSES = {"mixture": "convex class", "softmax": "softmax-linear"}
SQUARED = {"gain": "gain d(w, t) − d(s, t)", "misfit": "misfit d(s, w)"}
KL = {
    "reverse": {"gain": "gain KL(t, w) − KL(t, s)", "misfit": "misfit KL(s, w)"},
    "forward": {"gain": "gain KL(w, t) − KL(s, t)", "misfit": "misfit KL(w, s)"},
}

View = dict[str, Any]


def views(tables: Tables) -> list[View]:
    """One view a panel, data set or student, of the experiments that have cells."""
    return [
        *(_synthetic(tables["synthetic"]) if "synthetic" in tables else ()),
        *(_molecules(tables) if "molecules" in tables else ()),
        *(_kl(tables["kl"]) if "kl" in tables else ()),
    ]


def _synthetic(cells: pd.DataFrame) -> Iterator[View]:
    for panel in PANELS:
        chosen = cells[cells["panel"] == panel]
        head, inputs = next((each for each in SYNTHETIC if _protocol(chosen, *each).any()), SYNTHETIC[0])
        chosen = chosen[_protocol(chosen, head, inputs)]
        yield from _view(f"synthetic-{panel}", "Networks, squared loss", panel, chosen, "seed", SQUARED)


def _molecules(tables: Tables) -> Iterator[View]:
    together = pd.concat([tables[name] for name in ("molecules", STUDY) if name in tables], ignore_index=True)
    for dataset, label in DATASETS.items():
        chosen = together[(together["regime"] == "full") & (together["dataset"] == dataset)]
        # Finetuned teachers, who are slow to make, have published students on the same molecules only.
        own = _protocol(chosen, *MOLECULES[0]) & (chosen["training"] == "frozen")
        chosen = chosen[own | (_protocol(chosen, *RECALLED) & (chosen["training"] == "finetuned"))]
        yield from _view(f"molecules-{dataset}", "Molecules, squared loss", label, chosen, "split", SQUARED)


def _kl(cells: pd.DataFrame) -> Iterator[View]:
    cells = solved(cells)
    for family, loss, direction in STUDENTS:
        for panel in PANELS:
            chosen = of(cells[cells["panel"] == panel], family, loss, direction)
            label = f"{panel}: {CLASSES[family]}, {loss.replace('_', ' ')}"
            yield from _view(f"kl-{panel}-{family}-{loss}", "Networks, KL", label, chosen, "seed", KL[direction])


def _protocol(cells: pd.DataFrame, head: str, inputs: str) -> pd.Series:
    return (cells["head"] == head) & (cells["inputs"] == inputs)


def _view(
    name: str, group: str, label: str, cells: pd.DataFrame, series: str, axes: Mapping[str, str]
) -> Iterator[View]:
    """Nothing where there is no cell; a column that is the same in every cell is written once."""
    if cells.empty:
        return
    drawn = cells.iloc[:: -(-len(cells) // LARGEST)]
    yield {
        "name": name,
        "group": group,
        "label": label,
        "series": series,
        "axes": axes,
        "cells": len(cells),
        "shown": len(drawn),
        "columns": {
            **{column: [float(f"{value:.{DIGITS}g}") for value in drawn[column]] for column in ("gain", "misfit")},
            **{column: _once([_plain(value) for value in drawn[column]]) for column in NAMED},
        },
    }


def _plain(value: Any) -> str | None:
    # Tasks and seeds come as numbers with or without a fraction, names as text, absent ones as NaN.
    if pd.isna(value) or value == "":
        return None
    return str(int(value)) if isinstance(value, float) else str(value)


def _once(values: list[str | None]) -> list[str | None] | str | None:
    return values[0] if len(set(values)) == 1 else values
