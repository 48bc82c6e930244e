"""Which students are trained: what they learn from, and in which panel they stand."""

import math
from typing import NamedTuple

from pipeline.experiments.selective.common.units import Unit, others, teachers
from pipeline.experiments.selective.settings import Settings

MAIN, TAU, COVERAGE = "main", "tau", "coverage"
SELECTING = ("selection", "full")  # with the labels of the teacher, or with these after spreading
PLAIN = ("naive", "naive_soft", "smoothing", "self", "confidence")
GOLD = "gold"  # trained on the true labels that P(IK) needs, and so on other rows
CONTROLS = ("shuffled_ik", "shuffled_labels", "constant")
OWN, OTHER, MARGIN, SHUFFLED = "own", "other", "margin", "shuffled_ik"


class Selector(NamedTuple):
    """What says where the strong model is right: P(IK) of the task or of another, the margin, or a shuffled P(IK)."""

    kind: str
    trained_on: str

    @property
    def name(self) -> str:
        """Name of its scores."""
        return f"{self.kind}:{self.trained_on}"


class Student(NamedTuple):
    """One student; ``level``: the threshold or coverage where it is swept, NaN where validation sets the threshold."""

    panel: str
    teacher: str
    method: str
    selector: Selector | None = None
    level: float = math.nan
    control: str = ""

    @property
    def loss(self) -> str:
        """Name of its loss."""
        return "confidence" if self.method == "confidence" else "cross_entropy"


def selectors(unit: Unit, settings: Settings) -> list[Selector]:
    """All of a unit; the control comes last."""
    found = [Selector(OWN, unit.dataset)]
    found += [Selector(OTHER, other.dataset) for other in others(unit, settings.data)]
    return [*found, Selector(MARGIN, ""), Selector(SHUFFLED, unit.dataset)]


def plan(unit: Unit, settings: Settings) -> list[Student]:
    """Students of one unit; the first teacher's are swept over thresholds and coverages, too."""
    names, judges = teachers(unit, settings), selectors(unit, settings)
    honest, shuffled = judges[:-1], judges[-1]
    found = []
    for teacher in names:
        found += [Student(MAIN, teacher, method) for method in PLAIN]
        found += [Student(MAIN, teacher, method, judge) for method in SELECTING for judge in honest]
        found += [Student(MAIN, teacher, method, shuffled, control=SHUFFLED) for method in SELECTING]
        found += [Student(MAIN, teacher, "naive", control=name) for name in CONTROLS if name != SHUFFLED]
    for tau in settings.labels.taus:
        found += [Student(TAU, names[0], method, judges[0], tau) for method in SELECTING]
        found += [Student(TAU, names[0], "selection", judge, tau) for judge in honest if judge.kind == OTHER]
    for share in settings.labels.coverages:
        found += [Student(COVERAGE, names[0], "selection", judge, share) for judge in honest]
        found.append(Student(COVERAGE, names[0], "selection", shuffled, share, SHUFFLED))
    return found
