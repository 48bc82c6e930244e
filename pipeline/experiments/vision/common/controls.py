"""Control teachers of images: what a student takes from one that knows nothing, or from its own class.

`random`: a random linear function of the pixels; `shuffled`: a network trained on labels in random order; `constant`:
the classes' shares; `itself`: a head on the focus, taught by all true labels of the teacher's part.  Without a teacher,
`teachers_labels`: the strong model on the true labels that a real teacher saw.
"""

import numpy as np

from pipeline.models.softmax.heads import softmax

TEACHERS = ("random", "shuffled", "constant", "itself")
NO_TEACHER = "teachers_labels"
RANDOM_DEVIATION = 2.0  # of the logits of the random function, so that it is about as sure as a teacher


def random(stream: np.random.Generator, pixels: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities (n, classes) by a random linear function of the images: their texture, not their class."""
    flat = pixels.reshape(len(pixels), -1) / 255
    logits = (flat - flat.mean(axis=0)) @ stream.normal(size=(flat.shape[1], classes))
    return softmax(RANDOM_DEVIATION * logits / logits.std())


def constant(truth: np.ndarray, rows: int) -> np.ndarray:
    """The shares of the classes in one-hot labels, for every row."""
    return np.repeat(truth.mean(axis=0, keepdims=True), rows, axis=0)
