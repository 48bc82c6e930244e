"""Pools of teachers on corrupted photographs: experiments/shift on images that a pretrained network of `vision` reads.

A teacher sees random features of its own and a slice of images under its own corruption; the student, on the domain's
corruptions, sees more features.  Every image is corrupted once in every way, and read once.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from pipeline.core import artifacts, streams
from pipeline.core.artifacts import Arrays
from pipeline.core.config import Block, Count, Name, Seed, Seeds
from pipeline.core.parallel import Pool
from pipeline.experiments.shift import evaluate as measured
from pipeline.experiments.shift.data import LEAST_TEST, PARTS
from pipeline.experiments.shift.represent import own_columns, used, with_ones
from pipeline.experiments.shift.settings import Corruptions, Domain, Shared, World, a_pool
from pipeline.experiments.vision.common import images
from pipeline.experiments.vision.represent import PIECE, features_of, weights
from pipeline.experiments.vision.settings import Network, Photographs
from pipeline.models import corruptions

Array = np.ndarray
PANEL, HOME = "images", artifacts.ARTIFACTS / "features"
KEYS = ("domain", "method", "varied", "rate", "easy", "epoch")
TOLERANCE = (1e-3, 2e-2, "features and heads by torch in float32")
# Each split draws all parts anew from the same images: 1,000 of test over 2,600 others.
OVERLAP = {"split": 0.385}


class Data(Photographs):
    """Images over random splits: labels of each teacher, the student's, and the rest as a test set."""

    seed: Seed  # of the corruptions
    splits: Seeds
    teacher: Count
    student: Count
    teachers: Annotated[Corruptions, AfterValidator(a_pool)]  # the slice of each
    domains: Annotated[dict[Name, Domain], Field(min_length=1)]

    @model_validator(mode="after")
    def _leaves_a_test_set(self) -> "Data":
        rest = self.images - len(self.teachers) * self.teacher - self.student
        if rest < LEAST_TEST:
            raise ValueError(
                f"{len(self.teachers)} x teacher = {self.teacher} and student = {self.student} leave {max(rest, 0)} of "
                f"{self.images} images for the test; leave {LEAST_TEST}"
            )
        return self

    @property
    def corruptions(self) -> list[str]:
        """All that an image is put under, each once."""
        met = [name for domain in self.domains.values() for name in domain.corruptions]
        return list(dict.fromkeys([*self.teachers, *met]))


class Represent(Block):
    """The network and the side to which it enlarges; random features of each teacher, middle model and student."""

    network: Network
    side: Annotated[int, Field(ge=32)]
    weak: Annotated[int, Field(ge=1, le=1280)]
    middle: Annotated[int, Field(ge=1, le=1280)]
    strong: Annotated[int, Field(ge=1, le=1280)]


class Settings(Shared):
    """The file studies/shift_images.yaml."""

    data: Data
    represent: Represent

    def worlds(self) -> Iterator[World]:
        """A world a domain and split."""
        for name, domain in self.data.domains.items():
            yield from (World(PANEL, name, domain.shift, split) for split in self.data.splits)

    def teachers(self, world: World) -> tuple[str, ...]:
        """Corruptions of the teachers' slices."""
        return self.data.teachers


def data(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """`images` (pixels of bytes, labels), and of each world the images, corruptions and classes of its parts."""
    read = images.read(settings.data)
    return {"images": read} | {world.name: divided(world, settings.data, read["labels"]) for world in settings.worlds()}


def divided(world: World, sizes: Data, labels: Array) -> Arrays:
    """Of source, student and test: `rows.<part>`, `under.<part>` (places in the list of corruptions), `y.<part>`, (n,).

    `slice` (K, m) bool: which rows of source are each teacher's.
    """
    names, count = sizes.corruptions, len(sizes.teachers)
    rows = streams.generator(world.seed, "shift/photographs").permutation(len(labels))
    stream = streams.generator(world.seed, f"shift/photographs/{world.domain}")
    met = np.array([names.index(name) for name in sizes.domains[world.domain].corruptions])
    owner = np.repeat(np.arange(count), sizes.teacher)
    parts = dict(zip(PARTS, np.split(rows, [len(owner), len(owner) + sizes.student]), strict=True))
    found: Arrays = {"slice": owner == np.arange(count)[:, None]}
    for part, own in parts.items():
        drawn = np.array([names.index(name) for name in sizes.teachers])[owner]
        under = drawn if part == "source" else met[stream.integers(len(met), size=len(own))]
        found |= {f"rows.{part}": own, f"under.{part}": under, f"y.{part}": labels[own]}
    return found


def represent(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Views of every world, as `shift` has them, from features that are read once and kept by hash."""
    own, drawn = settings.represent, upstream["data"]
    pixels, file = drawn["images"]["pixels"], weights("network", own.network)
    starts, options = range(0, len(pixels), PIECE), (own.side, own.network.size, file, HOME.resolve())
    units = {
        f"{name}--{start}": (pixels[start : start + PIECE], name, settings.data.seed, start, *options)
        for name in settings.data.corruptions
        for start in starts
    }
    found = pool.map(seen, units)
    read = np.stack(
        [
            np.concatenate([found[f"{name}--{start}"]["features"] for start in starts])
            for name in settings.data.corruptions
        ]
    )
    return {world.name: views(world, own, drawn[world.name], read) for world in settings.worlds()}


def seen(pixels: Array, name: str, seed: int, start: int, *options: Any) -> Arrays:
    """Features (n, 1280) of some images under a corruption."""
    stream = streams.generator(seed, f"shift/photographs/{name}/{start}")
    under = np.rint(255 * corruptions.corrupted(pixels / 255, name, stream)).astype(np.uint8)
    return features_of(under, *options)


def views(world: World, sizes: Represent, drawn: Arrays, read: Array) -> Arrays:
    """Features of one world: of each view some columns, each of mean 0 and deviation 1 on the rows that train on it."""
    teachers, stream = len(drawn["slice"]), streams.generator(world.seed, "shift/photographs/views")
    found: Arrays = {"columns": own_columns(teachers, sizes.weak), "slice": drawn["slice"]}

    def take(count: int) -> Array:
        return stream.choice(read.shape[-1], count, replace=False)

    taken = {"weak": np.concatenate([take(sizes.weak) for _ in range(teachers)])}
    taken |= {"middle": take(sizes.middle), "strong": take(sizes.strong)}
    for view, columns in taken.items():
        made = {part: read[drawn[f"under.{part}"], drawn[f"rows.{part}"]][:, columns] for part in PARTS}
        fitted = made["source" if view == "weak" else "student"]
        centre, scale = fitted.mean(axis=0), fitted.std(axis=0)
        scale = np.where(scale > 1e-6, scale, 1.0)
        found |= {f"{view}.{part}": with_ones((each - centre) / scale) for part, each in made.items()}
    return used(found)


def evaluate(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells as of `shift`."""
    return measured.run(settings, upstream, pool)
