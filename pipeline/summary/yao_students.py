"""Which cells of the classification experiments a figure draws, and its students."""

import pandas as pd

ROLES = ("weak", "student", "ceiling")
PANELS = ("realizable", "pretrained", "perturbed")
# Class and loss of each student, and the direction in which theory speaks of it.
STUDENTS = (
    ("mixture", "reverse_kl", "reverse"),
    ("softmax", "reverse_kl", "reverse"),
    ("softmax", "cross_entropy", "forward"),
)


def solved(cells: pd.DataFrame) -> pd.DataFrame:
    """Students solved to their optimum, not those along a training curve."""
    return cells[cells["epoch"].isna()]


def own_direction(cells: pd.DataFrame) -> pd.DataFrame:
    """One row a student: the direction in which theory speaks of it."""
    own = pd.Series({(family, loss): direction for family, loss, direction in STUDENTS})
    return cells[own.reindex(pd.MultiIndex.from_frame(cells[["class", "loss"]])).to_numpy() == cells["direction"]]


def last(cells: pd.DataFrame) -> pd.DataFrame:
    """Digits with clean labels and the widest representation: projections, and the last epoch at the first rate."""
    cells = cells[(cells["noise"] == 0) & (cells["sharpening"] == 1) & (cells["strong"] == widest(cells))]
    trained = (cells["epoch"] == cells["epoch"].max()) & (cells["lr"] == cells["lr"].max())
    return cells[trained | cells["epoch"].isna()]


def widest(cells: pd.DataFrame) -> str:
    """The strong representation with the most random features."""
    return max(cells["strong"].unique(), key=lambda name: int(name.rsplit("-", 1)[1]))


def of(cells: pd.DataFrame, family: str, loss: str, direction: str) -> pd.DataFrame:
    """Cells of one class of students, one loss and one direction."""
    return cells[(cells["class"] == family) & (cells["loss"] == loss) & (cells["direction"] == direction)]
