"""Points of the study, and their examples as patches.

Two bases are used.  That of the problem: four signals, then noise.  That of a network: the four signals, the direction
of the teacher's noise, then as many directions as its filters span; noise that it has not met is isotropic there too.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.experiments.feature_learning.settings import Data, Shares
from pipeline.models.patches import Patches

Array = np.ndarray
KINDS = ("easy", "hard", "both")
EASY, HARD, BOTH = range(len(KINDS))
SIGNALS = 4  # mu_1, mu_-1, nu_1, nu_-1
PIXELS = 64
SCARCE, ABUNDANT, DIGITS = "scarce", "abundant", "digits"


class Point(NamedTuple):
    """One setting of the data model; ``norm`` is the length of every signal."""

    panel: str
    samples: int
    dimension: int
    strength: float
    shares: Shares

    @property
    def name(self) -> str:
        """Its name in bundles and random streams."""
        return f"{self.panel}-{self.samples}-{self.teacher}"

    @property
    def teacher(self) -> str:
        """What the teacher depends on: all but the number of the student's examples."""
        shares = "-".join(f"{share:g}" for share in self.chances)
        return f"{self.dimension}-{self.strength:g}-{shares}"

    @property
    def chances(self) -> tuple[float, float, float]:
        """Probabilities of the types, in the order of KINDS."""
        return self.shares.easy, self.shares.hard, self.shares.both

    @property
    def norm(self) -> float:
        """|mu| = |nu| in units of sigma_p."""
        return float((self.strength * self.dimension) ** 0.25)

    @property
    def signal(self) -> float:
        """A = n |nu|^2 / (sigma_p^2 d): signal against noise in a gradient step."""
        return self.samples * self.norm**2 / self.dimension

    @property
    def bridge(self) -> float:
        """B = n p_b^2 |nu|^4 / (sigma_p^4 d), on which benign and harmful depend (Theorem 3.4)."""
        return self.samples * self.shares.both**2 * self.strength

    def linear_rate(self, samples: int) -> float:
        """About the inverse curvature of the logistic loss of a linear network on that many examples."""
        return 1 / (2 * (self.norm**2 + 1 + self.dimension / samples))

    def rate(self, filters: int) -> float:
        """About that of the student's, with ``filters`` of each sign."""
        return filters / (2 * self.norm**2 + self.dimension / self.samples)


Net = tuple[Point, int]  # a student at a point, and its seed


def points(settings: Data) -> list[Point]:
    """All points of the study: the map, the abundant regime, the digits."""
    grid, many, images = settings.map, settings.abundant, settings.digits
    listed = [
        Point(SCARCE, *sizes, shares)
        for *sizes, shares in product(grid.samples, grid.dimensions, grid.strengths, grid.shares)
    ]
    scarce = [point for point in listed if point.signal <= grid.most_signal]
    abundant = [Point(ABUNDANT, many.samples, many.dimension, many.strength, shares) for shares in many.shares]
    strength = images.norm**4 / PIXELS
    digits = [Point(DIGITS, images.samples, PIXELS, strength, shares) for shares in images.shares]
    return [*scarce, *abundant, *digits]


def stream(point: Point, seed: int, purpose: str) -> np.random.Generator:
    """Random numbers of one purpose at one point."""
    return streams.generator(seed, f"feature_learning/{point.name}/{purpose}")


def drawn(generator: np.random.Generator, kinds: Array) -> Arrays:
    """Examples of given types (n,): label, sign of the hard signal, and noise along the teacher's noise (2, n)."""
    label, flip = (generator.choice(np.array([-1, 1], np.int8), len(kinds)) for _ in range(2))
    along = generator.standard_normal((2, len(kinds)), dtype=np.float32)
    return {"kind": kinds.astype(np.int8), "label": label, "flip": flip, "along": silenced(along, kinds)}


def silenced(noise: Array, kinds: Array) -> Array:
    """Noise of both slots (2, n, ...) where it is; an example with both signals has room for one noise patch."""
    noise[1, kinds == BOTH] = 0
    return noise


def signals(examples: Mapping[str, Array], lengths: Array) -> Array:
    """The easy and the hard patch in the basis of the signals, (nets, 2, n, 4); zero where an example has none.

    examples: arrays (nets, n); lengths: of the signals, (nets,).
    """
    kind, negative = examples["kind"], (examples["label"] < 0).astype(int)
    nets, row = np.indices(kind.shape)
    found = np.zeros((len(kind), 2, kind.shape[1], SIGNALS), np.float32)
    found[nets, 0, row, negative] = lengths[:, None] * (kind != HARD)
    found[nets, 1, row, 2 + negative] = lengths[:, None] * (kind != EASY) * examples["flip"]
    return found


def unmet(nets: Sequence[Net], examples: Mapping[str, Array], part: str, directions: int) -> list[Patches]:
    """Examples (nets, n) that networks have not met, in their own basis with ``directions`` beside the teacher's."""
    noise = [
        silenced(
            stream(point, seed, f"{part}/noise").standard_normal((2, len(kind), directions), dtype=np.float32), kind
        )
        for (point, seed), kind in zip(nets, examples["kind"], strict=True)
    ]
    patches = np.concatenate([examples["along"][..., None], np.stack(noise)], axis=-1)
    return [Patches(signals(examples, norms(nets)), 0), Patches(patches, SIGNALS)]


def norms(nets: Sequence[Net]) -> Array:
    """Length of the signals that each network sees, (nets,)."""
    return np.array([point.norm for point, _ in nets], np.float32)


def part_of(data: Mapping[str, Arrays], nets: Sequence[Net], seeds: Sequence[int], part: str) -> Arrays:
    """Examples of one part for some networks, by name, (nets, ...); seeds: in the order of the bundle."""
    items = {point.name: under(part, data[point.name]) for point in dict.fromkeys(point for point, _ in nets)}
    return {
        name: np.stack([items[point.name][name][seeds.index(seed)] for point, seed in nets])
        for name in items[nets[0][0].name]
    }


def under(first: str, arrays: Mapping[str, Array]) -> Arrays:
    """Arrays called `<first>.<name>`, by name."""
    return {name.partition(".")[2]: array for name, array in arrays.items() if name.startswith(f"{first}.")}
