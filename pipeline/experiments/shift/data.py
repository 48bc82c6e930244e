"""Draw every world: the teachers' own domains, the student's pool, a test set of the student's domain.

An item a world: `x.<part>` and `y.<part>` (classes) of source, student and test; `slice` (K, m) bool: which rows of
source are each teacher's.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.shift.settings import Images, Settings, Synthetic, World
from pipeline.models.corruptions import corrupted

Array = np.ndarray
PARTS = ("source", "student", "test")
LEAST_TEST = 100


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """All worlds."""
    images = scaled(*SETS[settings.data.images.set]())
    return {
        world.name: synthetic(world, settings.data.synthetic)
        if world.panel == "synthetic"
        else photographed(world, settings.data.images, *images)
        for world in settings.worlds()
    }


def synthetic(world: World, sizes: Synthetic) -> Arrays:
    """Core coordinates tell the class; the spurious ones tell, in teacher k's domain, a code of it with strength rho_k.

    Each domain has its own code (a permutation of the classes), so that teachers who trust it are wrong in different
    ways.  In the shifted domain the spurious feature is that of a random class.
    """
    case, classes = sizes.cases[world.domain], sizes.classes
    stream = streams.generator(world.seed, f"shift/synthetic/{world.domain}")
    core, spurious = (
        norm * directions(stream, classes, width)
        for norm, width in ((case.core, sizes.core), (case.spurious, sizes.spurious))
    )
    codes = np.stack([stream.permutation(classes) for _ in case.strengths])

    def draw(domains: Array, strengths: Array) -> tuple[Array, Array]:
        y = stream.integers(classes, size=len(domains))
        told = stream.random(len(y)) < strengths[domains]
        shown = np.where(told, codes[domains, y], stream.integers(classes, size=len(y)))
        x = np.concatenate([core[y], spurious[shown]], axis=1)
        return (x + stream.standard_normal(x.shape)).astype(np.float32), y

    count, strengths = len(case.strengths), np.array(case.strengths)
    of_source = np.repeat(np.arange(count), sizes.source)
    met = strengths if case.target == "source" else np.zeros(count)
    drawn = {"source": draw(of_source, strengths)}
    for part, size in (("student", sizes.student), ("test", sizes.test)):
        drawn[part] = draw(stream.integers(count, size=size), met)
    return bundle(drawn, of_source == np.arange(count)[:, None])


def directions(stream: np.random.Generator, classes: int, width: int) -> Array:
    """A random unit vector a class, (classes, width)."""
    drawn = stream.standard_normal((classes, width))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def photographed(world: World, sizes: Images, images: Array, classes: Array) -> Arrays:
    """One random split: a slice of images for each teacher under its own corruption, the others as the domain says."""
    count = len(sizes.teachers)
    rest = len(images) - count * sizes.source - sizes.student
    if rest < LEAST_TEST:
        raise InputError(
            f"{{where}}: data.images takes {count} x {sizes.source} and {sizes.student} of {len(images)} images, which "
            f"leaves {max(rest, 0)} for the test; leave {LEAST_TEST}: lower source or student"
        )
    rows = streams.generator(sizes.seed, f"shift/images/{world.seed}").permutation(len(images))
    stream = streams.generator(sizes.seed, f"shift/images/{world.seed}/{world.domain}")
    owner, taken = np.repeat(np.arange(count), sizes.source), rows[: count * sizes.source]
    source = np.concatenate(
        [corrupted(images[taken[owner == k]], name, stream) for k, name in enumerate(sizes.teachers)]
    )
    drawn = {"source": (source, classes[taken])}
    parts = np.split(rows[len(taken) :], [sizes.student])
    for part, own in zip(PARTS[1:], parts, strict=True):
        drawn[part] = mixed(images[own], sizes.domains[world.domain].corruptions, stream), classes[own]
    return bundle(drawn, owner == np.arange(count)[:, None])


def mixed(images: Array, names: tuple[str, ...], stream: np.random.Generator) -> Array:
    """Each image under one of some corruptions, drawn evenly."""
    which, found = stream.integers(len(names), size=len(images)), images.copy()
    for place, name in enumerate(names):
        found[which == place] = corrupted(images[which == place], name, stream)
    return found


def scaled(images: Array, classes: Array) -> tuple[Array, Array]:
    """Images in [0, 1] and classes 0, 1, ...  Raises ValueError on a shape that is none of images."""
    if images.ndim not in (3, 4) or len(images) != len(classes):
        raise ValueError(f"images of shape {images.shape} for {len(classes)} labels; give (n, h, w) or (n, h, w, c)")
    low, high = float(images.min()), float(images.max())
    return (images - low) / (high - low), np.unique(classes, return_inverse=True)[1]


def bundle(drawn: Mapping[str, tuple[Array, Array]], slices: Array) -> Arrays:
    """Parts as the other verbs read them."""
    found = {"slice": slices}
    for part, (x, y) in drawn.items():
        found |= {f"x.{part}": x.reshape(len(x), -1).astype(np.float32), f"y.{part}": y.astype(np.int64)}
    return found


def _digits() -> tuple[Array, Array]:
    found = load_digits()
    return found.images, found.target


# Images (n, h, w) or (n, h, w, channels) of any range, and a label each.
SETS: dict[str, Callable[[], tuple[Array, Array]]] = {"digits": _digits}
