"""Draw inputs and truths.

An item a world: `x.<part>` and `truth.<part>` for teacher, student and test; of a synthetic one also `directions` of
the strong features, as the truth is a head on them; of a hull `experts`, `truth` and `teacher` on its points.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.datasets import load_digits

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.bregman.settings import DIGIT_CLASSES, Hull, Settings, Synthetic, World
from pipeline.experiments.bregman.settings import Digits as DigitsSettings

Array = NDArray[np.float64]
PARTS = ("teacher", "student", "test")
FLOOR = 1e-3  # under experts and teachers of a hull, so that every generator is defined
HULL_INPUTS, BEYOND_WIDTH = 6, 200  # inputs of the experts; features of a truth that is out of reach


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """All worlds."""
    sizes = settings.data
    drawn = {"hull": sizes.hull, "synthetic": sizes.synthetic, "digits": sizes.digits}
    return {world.name: DRAW[world.kind](world, drawn[world.kind]) for world in sizes.worlds()}


def hull(world: World, sizes: Hull) -> Arrays:
    """Experts (n, e, c), a truth that is their mixture but for a share of another function, and a warped teacher.

    Experts are softmaxes of random linear functions.  The teacher is the truth with its logits shrunk and bent by one
    more of them: a function that no mixture is.
    """
    stream = streams.generator(world.seed, f"bregman/hull/{world.classes}")
    inputs = stream.normal(size=(sizes.points, HULL_INPUTS))
    logits = inputs @ stream.normal(size=(sizes.experts + 2, HULL_INPUTS, world.classes))
    *experts, other, bend = (1 - FLOOR * world.classes) * softmax(logits, axis=-1) + FLOOR
    weights = stream.dirichlet(np.ones(sizes.experts))
    within = np.einsum("e,enc->nc", weights, np.array(experts))
    truth = (1 - world.outside) * within + world.outside * other
    teacher = softmax(0.7 * np.log(truth) + 0.5 * np.log(bend), axis=-1)
    return {"experts": np.stack(experts, axis=1), "truth": truth, "teacher": teacher}


def synthetic(world: World, sizes: Synthetic) -> Arrays:
    """Gaussian inputs, and the truth's probabilities.

    Its logits are (1 - outside) times a linear function of the strong features and outside times one of features that
    the student does not have, each of unit variance; the sum is scaled to the deviation of the settings.
    """
    stream = streams.generator(world.seed, f"bregman/synthetic/{world.classes}")
    x = stream.normal(size=(2 * sizes.points + sizes.test, sizes.inputs))
    directions = [stream.normal(size=(sizes.inputs, width)) for width in (sizes.features, BEYOND_WIDTH)]
    within, beyond = (_logits(np.maximum(x @ each, 0), stream, world.classes) for each in directions)
    mixed = (1 - world.outside) * within + world.outside * beyond
    truth = softmax(sizes.deviation * mixed / mixed.std(), axis=-1)
    parts = np.split(np.arange(len(x)), [sizes.points, 2 * sizes.points])
    found = {"directions": directions[0]}
    for part, rows in zip(PARTS, parts, strict=True):
        found |= {f"x.{part}": x[rows].astype(np.float32), f"truth.{part}": truth[rows]}
    return found


def digits(world: World, sizes: DigitsSettings) -> Arrays:
    """Images and one-hot truths of one random split."""
    pixels, labels = load_digits(return_X_y=True)
    order = streams.generator(sizes.seed, f"bregman/digits/{world.seed}").permutation(len(labels))
    truth, found = np.eye(DIGIT_CLASSES)[labels], {}
    for part, rows in zip(PARTS, np.split(order, np.cumsum([sizes.teacher, sizes.student])), strict=True):
        found |= {f"x.{part}": (pixels[rows] / 16).astype(np.float32), f"truth.{part}": truth[rows]}
    return found


DRAW: dict[str, Any] = {"hull": hull, "synthetic": synthetic, "digits": digits}


def _logits(features: Array, stream: np.random.Generator, classes: int) -> Array:
    drawn = features @ stream.normal(size=(features.shape[1], classes))
    return np.asarray((drawn - drawn.mean(axis=0)) / drawn.std(axis=0))
