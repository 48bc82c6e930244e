"""Control teachers: what a student gains from one that knows nothing of its task, from its own class, or from none.

`random`: a sine along a random direction; `other_task`: the teacher of the next task; `shuffled`: fitted on true
labels in random order; `constant`: the mean label; `itself`: a head on the student's own representation.  A sixth
control, `teachers_labels`, has no teacher: the strong model learns the true labels of the teacher's sample.

Teachers of a panel are stored under `<panel>.<control>`: heads (tasks, width + 1), but a sine is (tasks, d + 3): its
direction, phase, mean and amplitude.
"""

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.config import AdamW
from pipeline.experiments.synthetic.common import fitting
from pipeline.experiments.synthetic.common.panels import PANELS, truth, unpack

TEACHERS = ("random", "other_task", "shuffled", "constant", "itself")
NO_TEACHER = "teachers_labels"
SINE_DEVIATION = 2.0  # of its argument in radians: about two thirds of a period to either side


def teachers(seed: int, samples: Arrays, networks: Arrays, real: Arrays, tasks: int, settings: AdamW) -> Arrays:
    """Control teachers of one seed for its first ``tasks`` tasks; ``real``: its real teachers by representation."""
    labels = truth(samples, "reused")[:tasks]
    deviation = float(samples["inputs"].std())
    made = {}
    for name, panel in PANELS.items():
        weak, strong = (
            fitting.features(unpack(own, {**networks, **samples}), samples["inputs"][:tasks]) for own in panel
        )
        stream = streams.generator(seed, f"synthetic/control-{name}")
        shuffled = np.stack([stream.permutation(row) for row in labels])
        made |= {
            f"{name}.random": _sines(stream, labels, samples["inputs"].shape[-1], deviation),
            f"{name}.other_task": np.roll(real[panel.weak], -1, axis=0)[:tasks],
            f"{name}.shuffled": fitting.fit_adamw(f"control-shuffled-{name}", seed, weak, shuffled, settings),
            f"{name}.constant": _constants(labels, weak.shape[-1]),
            f"{name}.itself": fitting.fit_adamw(f"control-itself-{name}", seed, strong, labels, settings),
        }
    return made


def predict(panel: str, control: str, stored: Arrays, networks: Arrays, inputs: np.ndarray) -> np.ndarray:
    """Labels that control teachers give to the inputs (tasks, n, d) of their tasks: (tasks, n), float64."""
    fitted = stored[f"{panel}.{control}"]
    inputs = inputs[: len(fitted)]
    if control == "random":
        direction, (phase, mean, amplitude) = fitted[:, :-3], fitted[:, -3:].T[..., None]
        return mean + amplitude * np.sin(np.einsum("knd,kd->kn", inputs, direction) + phase)
    name = PANELS[panel].strong if control == "itself" else PANELS[panel].weak
    return fitting.predict(fitting.features(unpack(name, networks), inputs), fitted)


def _sines(stream: np.random.Generator, labels: np.ndarray, dimension: int, deviation: float) -> np.ndarray:
    tasks = len(labels)
    direction = stream.normal(size=(tasks, dimension))
    direction *= SINE_DEVIATION / (deviation * np.linalg.norm(direction, axis=1, keepdims=True))
    phase = stream.uniform(0, 2 * np.pi, (tasks, 1))
    # Mean and deviation of the labels, so that it could be a teacher by its looks.
    scale = np.stack([labels.mean(axis=1), np.sqrt(2) * labels.std(axis=1)], axis=1)
    return np.concatenate([direction, phase, scale], axis=1).astype(np.float64)


def _constants(labels: np.ndarray, width: int) -> np.ndarray:
    heads = np.zeros((len(labels), width + 1), np.float32)
    heads[:, -1] = labels.mean(axis=1)
    return heads
