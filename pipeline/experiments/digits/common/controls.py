"""Control teachers of the digits: what a student takes from one that knows nothing, or from its own class.

`random`: a head with random weights on all pixels; `shuffled`: trained on labels in random order; `constant`: the
classes' shares; `itself`: a head on the widest strong representation.  Without a teacher, `teachers_labels`: the strong
model on the true labels that a real teacher saw.  They are stored as real teachers are, without a temperature.
"""

from collections.abc import Callable

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.experiments.digits.common.splits import one_hot
from pipeline.experiments.digits.settings import CLASSES

TEACHERS = ("random", "shuffled", "constant", "itself")
NO_TEACHER = "teachers_labels"
PIXELS = "pixels"  # the view of all of them
RANDOM_DEVIATION = 2.0  # of the logits of the random head, so that it is about as sure as a teacher

Train = Callable[[str, np.ndarray, np.ndarray], np.ndarray]


def view(name: str, views: Arrays) -> np.ndarray:
    """The representation on which a real or a control teacher stands."""
    return views[strong(views) if name == "itself" else PIXELS if name in TEACHERS else name]


def strong(views: Arrays) -> str:
    """Name of the widest strong representation: students of controls stand on no other."""
    return max((name for name in views if name.startswith("strong-")), key=lambda name: views[name].shape[1])


def teachers(
    generator: np.random.Generator, views: Arrays, labels: np.ndarray, rows: np.ndarray, train: Train
) -> Arrays:
    """Heads of the control teachers that see the images ``rows``; ``train(name, features, labels)`` fits one."""
    pixels, own = views[PIXELS][rows], views[strong(views)][rows]
    heads = generator.normal(size=(pixels.shape[1] + 1, CLASSES))
    logits = pixels @ heads[:-1]
    heads[-1] = -logits.mean(axis=0)
    shares = np.zeros_like(heads)
    shares[-1] = np.log(one_hot(labels[rows], CLASSES).mean(axis=0))
    return {
        "random": (heads * RANDOM_DEVIATION / logits.std()).astype(np.float32),
        "shuffled": train("shuffled", pixels, generator.permutation(labels[rows])),
        "constant": shares.astype(np.float32),
        "itself": train("itself", own, labels[rows]),
    }
