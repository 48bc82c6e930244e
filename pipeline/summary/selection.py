"""Which weak model to learn from?  Regret of a selection rule on the molecules, and who competes with whom."""

from collections.abc import Iterator

import pandas as pd

from pipeline.theory import selection

# A's table reads the rule off the test molecules; a practitioner has the validation part.
SAMPLES = {"test": "", "valid": "valid_"}
PAPER = "smallest_difference"


def regret(cells: pd.DataFrame, rule: str, sample: str) -> float:
    """Regret of a rule on the candidates in ``cells`` (one data set, split and seed), in squared label units."""
    prefix = SAMPLES[sample]
    chosen = selection.choose(
        rule,
        selection.candidates(
            cells[f"{prefix}weak_error"], cells[f"{prefix}student_error"], cells[f"{prefix}misfit"], cells["weak_size"]
        ),
    )
    return selection.regret(cells["student_error"], chosen)


def by_draw(cells: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Candidates that compete with each other: those of one data set, split and seed of pretraining."""
    for _, group in cells.groupby(["dataset", "split", "seed"], sort=False):
        yield group
