"""Teachers and students by name: the rows of the tables that the bundles of weak, labels and strong carry."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pandas as pd

from pipeline.experiments.molecules.common.rungs import STRONG, Rung

FULL, FEW = "full", "few"
FROZEN, FINETUNED = "frozen", "finetuned"
BOTH = ("same", "half")
NONE = ""  # the teacher is no control
RANDOM, OTHER, SHUFFLED, CONSTANT, ITSELF = "random", "other_task", "shuffled", "constant", "itself"
MEAN = Rung("mean", 0, 0, "mean")  # the teacher that has no representation


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
    control: str


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


def with_few_labels(
    rung: Rung, counts: Mapping[str, Iterable[int]], sizes: tuple[int, ...], first_seed: int
) -> list[Teacher]:
    """Teachers that see few labels: the strong rung and the smallest of ``sizes`` frozen, all of ``sizes`` finetuned.

    So the strong rung meets one small model, and the finetuned ones each other.  counts: of labels, by training.
    """
    small = rung.ladder == "smiles" and rung.size in sizes and rung.seed == first_seed
    frozen = rung.ladder == STRONG or (small and rung.size == min(sizes))
    trainings = [FROZEN] * frozen + [FINETUNED] * small
    return [
        _teacher(rung, "half", FEW, training, count) for training in trainings for count in counts.get(training, ())
    ]


def baselines(counts: Iterable[int]) -> list[Teacher]:
    """The mean of few labels as a teacher: what any other has to beat."""
    return [_teacher(MEAN, "half", FEW, FROZEN, count, CONSTANT) for count in counts]


def controls(rung: Rung, strong: Rung, half: int, datasets: int) -> list[Teacher]:
    """Teachers without weak-to-strong generalization, beside the frozen rung that sees all labels of its half.

    The teacher of another data set is left out where there is none.
    """
    others = [(OTHER, rung)] * (datasets > 1)
    kinds = [(RANDOM, rung), *others, (SHUFFLED, rung), (CONSTANT, MEAN), (ITSELF, strong)]
    return [_teacher(model, "half", FULL, FROZEN, half, control) for control, model in kinds]


def students(teachers: pd.DataFrame, strong: Rung, heads: tuple[str, ...]) -> list[Student]:
    """Students of every teacher.

    Full labels: the strong representation learns, with every head.  Few labels: the models of the other few-label
    teachers of the same training and seed learn, so that each pair also meets with its roles swapped; with the convex
    head alone, as of every control.
    """
    few = teachers[(teachers["regime"] == FEW) & (teachers["control"] == NONE)]
    models = few[["item", "weak", "training", "seed"]].drop_duplicates().to_dict("records")
    found = []
    for row, teacher in enumerate(teachers.itertuples()):
        if teacher.control != NONE:
            found.append(Student(row, strong.item, strong.name, "ball"))
        elif teacher.regime == FULL:
            found += [Student(row, strong.item, strong.name, head) for head in heads]
        else:
            found += [
                Student(row, model["item"], model["weak"], "ball")
                for model in models
                if model["item"] != teacher.item
                and (model["training"], model["seed"]) == (teacher.training, teacher.seed)
            ]
    return found


def _teacher(rung: Rung, inputs: str, regime: str, training: str, count: int, control: str = NONE) -> Teacher:
    return Teacher(rung.item, rung.name, rung.ladder, rung.size, rung.seed, inputs, regime, training, count, control)
