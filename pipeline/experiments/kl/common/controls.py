"""Control teachers of kl: what a student gains from one that knows nothing of its task, or from its own class.

`random`: a random softmax head on the raw inputs; `other_task`: the teacher of the next task; `shuffled`: fitted on
true labels in random order; `constant`: the classes' shares; `itself`: a head on the student's own representation.
Without a teacher, `teachers_labels`: the strong model on the true labels of the teacher's sample.

Stored under `<panel>.<family>.<control>`: softmax heads (tasks, features + 1, k).
"""

from itertools import product

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.experiments.kl.common import students
from pipeline.experiments.kl.common.students import Student
from pipeline.experiments.kl.settings import Exact
from pipeline.experiments.synthetic.common.panels import PANELS, unpack

TEACHERS = ("random", "other_task", "shuffled", "constant", "itself")
NO_TEACHER = "teachers_labels"
STUDENTS = {"mixture": "mixture.reverse_kl", "softmax": "softmax.cross_entropy"}  # of controls, by family
RANDOM_DEVIATION = 1.5  # of the logits of the random head, about that of the truth
NO_EXPERTS = np.empty(0)


def teachers(
    seed: int, samples: Arrays, networks: Arrays, real: Arrays, tasks: int, floor: float, exact: Exact
) -> Arrays:
    """Control teachers of one seed for its first ``tasks`` tasks; ``real``: its real teachers."""
    inputs, made = samples["inputs"][:tasks], {}
    for name, family in product(PANELS, students.FAMILIES):
        panel, labels = PANELS[name], samples[f"{family}_truth"][:tasks]
        weak, strong = (students.features(unpack(own, {**networks, **samples}), inputs) for own in panel)
        stream = streams.generator(seed, f"kl/control-{name}-{family}")
        shuffled = np.stack([stream.permutation(rows) for rows in labels])
        fitted = {
            control: students.fit(Student("softmax", "cross_entropy"), represented, target, NO_EXPERTS, floor, exact)
            for control, represented, target in (("shuffled", weak, shuffled), ("itself", strong, labels))
        }
        own = {
            "random": _random(stream, inputs, labels.shape[-1]),
            "other_task": np.roll(real[f"{family}.{panel.weak}"], -1, axis=0)[:tasks],
            "constant": _constant(labels, weak.shape[-1]),
            **{control: found["fitted"] for control, found in fitted.items()},
        }
        made |= {f"{name}.{family}.{control}": heads for control, heads in own.items()}
    return made


def predict(name: str, stored: Arrays, networks: Arrays, inputs: np.ndarray, floor: float) -> np.ndarray:
    """Labels that the control teachers ``name`` give to the inputs (tasks, n, d) of their tasks: (tasks, n, k)."""
    panel, _, control = name.split(".")
    heads = stored[name]
    inputs = inputs[: len(heads)]
    if control != "random":
        own = PANELS[panel].strong if control == "itself" else PANELS[panel].weak
        inputs = students.features(unpack(own, networks), inputs)
    return students.predict("softmax", inputs, heads, NO_EXPERTS, floor)


def _random(stream: np.random.Generator, inputs: np.ndarray, classes: int) -> np.ndarray:
    tasks, _, dimension = inputs.shape
    heads = stream.normal(size=(tasks, dimension + 1, classes))
    heads[:, :-1] *= RANDOM_DEVIATION / (inputs.std() * np.sqrt(dimension))
    return heads.astype(np.float32)


def _constant(labels: np.ndarray, width: int) -> np.ndarray:
    heads = np.zeros((len(labels), width + 1, labels.shape[-1]), np.float32)
    heads[:, -1] = np.log(labels.mean(axis=1))
    return heads
