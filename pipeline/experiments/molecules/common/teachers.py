"""Teachers and students by name: the rows of the tables that the bundles of weak, labels and strong carry."""

from typing import NamedTuple

import pandas as pd

from pipeline.experiments.molecules.common.rungs import STRONG, Rung

FULL, FEW = "full", "few"
FROZEN, FINETUNED = "frozen", "finetuned"
BOTH = ("same", "half")


class Teacher(NamedTuple):
    """One teacher: its representation, whose molecules it labels, and from how many true labels it learned."""

    item: str
    weak: str
    ladder: str
    size: int
    seed: int
    inputs: str
    regime: str
    training: str
    n_labels: int


class Student(NamedTuple):
    """One student of the teacher in row ``teacher`` of the table of teachers: its representation and its head."""

    teacher: int
    item: str
    strong: str
    head: str


def with_full_labels(rung: Rung, train: int, half: int) -> list[Teacher]:
    """Teachers that see every true label of the training molecules, or of their half; none for the strong rung."""
    if rung.ladder == STRONG:
        return []
    return [_teacher(rung, inputs, FULL, FROZEN, count) for inputs, count in zip(BOTH, (train, half), strict=True)]


def with_few_labels(rung: Rung, counts: tuple[int, ...], sizes: tuple[int, ...], first_seed: int) -> list[Teacher]:
    """Teachers that see few labels: the strong rung, and the SMILES rungs of the given sizes also finetuned whole."""
    small = rung.ladder == "smiles" and rung.size in sizes and rung.seed == first_seed
    trainings = [FROZEN] * (small or rung.ladder == STRONG) + [FINETUNED] * small
    return [_teacher(rung, "half", FEW, training, count) for training in trainings for count in counts]


def students(teachers: pd.DataFrame, strong: Rung, heads: tuple[str, ...]) -> list[Student]:
    """Students of every teacher.

    Full labels: the strong representation learns, with every head.  Few labels: the models of the other few-label
    teachers of the same seed learn, so that each pair also meets with its roles swapped; with the convex head alone.
    """
    few = teachers[(teachers["regime"] == FEW) & (teachers["item"] != strong.item)]
    small = few[["item", "weak", "seed"]].drop_duplicates().itertuples(index=False, name=None)
    others = [*small, (strong.item, strong.name, None)]
    found = []
    for row, teacher in enumerate(teachers.itertuples()):
        if teacher.regime == FULL:
            found += [Student(row, strong.item, strong.name, head) for head in heads]
            continue
        found += [
            Student(row, item, name, "ball")
            for item, name, seed in others
            if item != teacher.item and (seed is None or teacher.item == strong.item or seed == teacher.seed)
        ]
    return found


def _teacher(rung: Rung, inputs: str, regime: str, training: str, count: int) -> Teacher:
    return Teacher(rung.item, rung.name, rung.ladder, rung.size, rung.seed, inputs, regime, training, count)
