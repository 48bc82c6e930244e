"""Which teachers enter a claim about weak teachers in general: rules on a teacher, never on a single draw of it."""

from collections.abc import Callable

import pandas as pd

# A classifier of two balanced classes at chance hits .50; over 3,200 test rows its standard error is .009, so that .53
# is chance and three of them.
ABOVE_CHANCE = 0.53
# Two standard errors of the difference of two accuracies on the same 3,200 to 4,000 rows: below, a share of the gap
# between teacher and ceiling is a share of noise.
ROOM = 0.02


def above_chance(cells: pd.DataFrame) -> pd.Series:
    """Where the teacher's accuracy, averaged over all its draws, is above .53."""
    return _average(cells, cells["weak_accuracy"]) > ABOVE_CHANCE


def with_room(cells: pd.DataFrame) -> pd.Series:
    """Where, besides, the ceiling is on average at least .02 more accurate than the teacher."""
    return above_chance(cells) & (_average(cells, cells["ceiling_accuracy"] - cells["weak_accuracy"]) >= ROOM)


def _average(cells: pd.DataFrame, values: pd.Series) -> pd.Series:
    """Mean of each teacher's values on each data set, in place of each of them."""
    return values.groupby([cells["dataset"], cells["weak"]]).transform("mean")


RULES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {"above_chance": above_chance, "with_room": with_room}
