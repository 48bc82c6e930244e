"""The figures of Charikar et al. 2024: which cells each one needs, which notebook draws it, what numbers it draws."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from pipeline.core.config import Intervals
from pipeline.summary import low_sample, panels, selection
from pipeline.summary.molecules import molecules
from pipeline.summary.realizability import realizability
from pipeline.summary.tables import Tables

Numbers = dict[str, Any]


class Figure(NamedTuple):
    """One figure; ``experiment`` is the one whose cells it cannot do without."""

    experiment: str
    notebook: str
    caption: str
    numbers: Callable[[Tables, Intervals], Numbers]


def _panel(name: str, tables: Tables, settings: Intervals) -> Numbers:
    return panels.panel(tables["synthetic"], name, settings)


def _molecules(dataset: str, tables: Tables, settings: Intervals) -> Numbers:
    return molecules(tables, dataset, settings)


FIGURES: dict[str, Figure] = {
    "charikar_fig2a": Figure(
        "synthetic",
        "charikar_synthetic",
        "Figure 2a, realizable: the strong representation is the true one.",
        partial(_panel, "realizable"),
    ),
    "charikar_fig2b": Figure(
        "synthetic",
        "charikar_synthetic",
        "Figure 2b, pretrained: weak and strong representations are both learned.",
        partial(_panel, "pretrained"),
    ),
    "charikar_fig2c": Figure(
        "synthetic",
        "charikar_synthetic",
        "Figure 2c, perturbed: both representations are noisy copies of the true one.",
        partial(_panel, "perturbed"),
    ),
    "charikar_fig2d": Figure(
        "molecules", "charikar_molecules", "Figure 2d, ESOL: aqueous solubility.", partial(_molecules, "esol")
    ),
    "charikar_fig2e": Figure(
        "molecules",
        "charikar_molecules",
        "Figure 2e, FreeSolv: hydration free energy.",
        partial(_molecules, "freesolv"),
    ),
    "charikar_fig2f": Figure(
        "molecules",
        "charikar_molecules",
        "Figure 2f, Lipophilicity: octanol/water distribution.",
        partial(_molecules, "lipop"),
    ),
    "charikar_selection": Figure(
        "molecules",
        "charikar_selection",
        "Which weak model to learn from: regret of the selection rules.",
        selection.figure,
    ),
    "charikar_low_sample": Figure(
        "molecules", "charikar_low_sample", "Few labels: when the small model is the better teacher.", low_sample.figure
    ),
    "charikar_realizability": Figure(
        "synthetic",
        "charikar_realizability",
        "When gain equals misfit: gain / misfit over seeds, pretraining epochs and schedules.",
        realizability,
    ),
}
