"""Students along training on weak labels (Yao et al. 2025): cells, and what the figures drawn from them share."""

from collections.abc import Iterable

import pandas as pd

from pipeline.figures import Numbers
from pipeline.summary.classification import over_epochs
from pipeline.summary.tables import Tables
from pipeline.summary.yao_students import widest

LOSSES = ("cross_entropy", "reverse_kl")
NAMES = {"cross_entropy": "forward cross-entropy", "reverse_kl": "reverse KL"}


def along_training(tables: Tables) -> Iterable[tuple[str, str, str, pd.DataFrame]]:
    """Experiment, unit of its intervals, teacher, and cells along training."""
    kl = tables["kl"]
    yield "kl", "seed", "network", kl[kl["epoch"].notna()]
    digits = tables["digits"]
    trained = digits[digits["epoch"].notna() & (digits["strong"] == widest(digits))]
    for weak in dict.fromkeys(trained["weak"]):
        yield "digits", "split", weak, trained[trained["weak"] == weak]


def curves(unit: str, cells: pd.DataFrame) -> list[pd.DataFrame]:
    """Means of each epoch, a table a unit."""
    return [over_epochs(member) for _, member in cells.groupby(unit)]


def early_stop(curve: pd.DataFrame) -> float:
    """Epoch at which weak validation would stop."""
    return curve["weak_validation"].idxmin()


def by_teacher(numbers: Numbers) -> dict[tuple[str, str], list[Numbers]]:
    """Groups of a figure by experiment and teacher, in the order in which they come."""
    found: dict[tuple[str, str], list[Numbers]] = {}
    for group in numbers["groups"]:
        found.setdefault((group["experiment"], group["weak"]), []).append(group)
    return found
