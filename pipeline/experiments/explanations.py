"""Learning from explanations (Heo et al. 2023): a mask tells the student which inputs its teacher should not have used.

Two worlds.  `decoy`: scikit-learn's digits squeezed to half their height beside a half of one brightness, which gives
the class away in training and is random in the test.  `toy`: two features, of which the second is a group far away.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import model_validator
from sklearn.datasets import load_digits

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.config import Block, Count, Evaluate, Fraction, Positive, Seeds
from pipeline.core.parallel import Pool
from pipeline.experiments.refined import means
from pipeline.measures import squared
from pipeline.models import explained
from pipeline.models.explained import Recipe
from pipeline.summary.metrics import nested
from pipeline.theory.inheritance import agreement, inheritance

Array = np.ndarray
KEYS = ("method", "penalty", "radius", "mask", "pool", "labels")
ESTIMATES = ("networks trained with torch in float32, where rounding grows",)
# Each split draws all parts anew from the same images: 497 of test over 1,300 others.
OVERLAP = {"split": 0.382}
CLASSES = {"decoy": 10, "toy": 2}
BRIGHTNESS = 25 / 255  # a decoy is this times a class
IMAGES, SIDE = 1797, 8
POOLS = ("agreeing", "random")  # what the decoys of the student's images are
# By name of a set of rows: which rows they are, and whether their decoys agree with the class.
PARTS = {
    "teacher": ("teacher", True),
    "agreeing": ("student", True),
    "random": ("student", False),
    "validation": ("validation", False),
    "test": ("test", False),
    "same": ("test", True),
}
CLUSTERS = np.array([-2, 0, 2])  # of the toy's first feature: classes 0, 1, 0


class Toy(Block):
    """Rows of each part; where the groups lie, and deviations within clusters and groups."""

    teacher: Count
    student: Count
    validation: Count
    test: Count
    offset: Positive
    deviations: tuple[Positive, Positive]


class Data(Block):
    """Seeds of splits and draws; digits of teacher, student and validation, the rest being the test."""

    seeds: Seeds
    teacher: Count
    student: Count
    validation: Count
    toy: Toy

    @model_validator(mode="after")
    def _leaves_a_test(self) -> "Data":
        taken = self.teacher + self.student + self.validation
        if taken >= IMAGES:
            raise ValueError(f"teacher, student and validation take {taken} of {IMAGES} digits; leave some to the test")
        return self


class Represent(Block):
    """The share of the irrelevant pixels that a partial mask names."""

    partial: Fraction


class Weak(Block):
    """Networks and their training, of the teacher and of all students."""

    training: explained.Training


class Strong(Block):
    """Sweeps by world, and what is carried over from that of digits."""

    decoy: explained.Sweep
    toy: explained.Sweep
    carried: explained.Carried

    @model_validator(mode="after")
    def _carried_is_swept(self) -> "Strong":
        for key, known in (("penalty", self.decoy.penalties), ("radius", self.decoy.radii)):
            value = getattr(self.carried, key)
            if value not in known:
                raise ValueError(f"carried.{key} is {value:g}, which the sweep of decoy lacks; choose from {known}")
        return self


class Settings(Block):
    """The file studies/explanations.yaml."""

    data: Data
    represent: Represent
    weak: Weak
    strong: Strong
    evaluate: Evaluate


class Student(NamedTuple):
    """Where it is shown, what it is trained on, whose labels and which mask it gets, and how it uses the mask."""

    panel: str
    world: str
    pool: str
    labels: str
    mask: str
    recipe: Recipe

    @property
    def name(self) -> str:
        """As an item."""
        return "_".join((*self[:5], self.recipe.name))


def students(settings: Strong) -> list[Student]:
    """All of them: the sweeps on true labels, other masks, and those of a teacher that used the decoy."""
    found = [Student("decoy", "decoy", "agreeing", "truth", "whole", recipe) for recipe in settings.decoy.recipes()]
    found += [Student("toy", "toy", "agreeing", "truth", "whole", recipe) for recipe in settings.toy.recipes()]
    carried = settings.carried.recipes()
    for mask in ("partial", "wrong"):
        found += [Student("masks", "decoy", "agreeing", "truth", mask, recipe) for recipe in carried]
    for pool, labels in (("agreeing", "weak"), ("random", "weak"), ("random", "truth"), ("agreeing", "shuffled")):
        found += [Student("student", "decoy", pool, labels, "whole", recipe) for recipe in (Recipe("erm"), *carried)]
    return found


def data(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By world and name of PARTS: inputs `x.` (seeds, n, d), classes `y.` (seeds, n), irrelevant inputs `mask.`."""
    made = {"decoy": [digits(seed, settings.data) for seed in settings.data.seeds]}
    made["toy"] = [toy(seed, settings.data.toy) for seed in settings.data.seeds]
    return {world: {key: np.stack([each[key] for each in drawn]) for key in drawn[0]} for world, drawn in made.items()}


def digits(seed: int, sizes: Data) -> Arrays:
    """One random split of the images, decoyed; an image keeps its side and its random decoy."""
    images, classes = load_digits(return_X_y=True)
    squeezed = images.reshape(-1, SIDE // 2, 2, SIDE).mean(axis=2) / 16
    stream = streams.generator(seed, "explanations/split")
    cuts = np.cumsum([sizes.teacher, sizes.student, sizes.validation])
    rows = dict(
        zip(("teacher", "student", "validation", "test"), np.split(stream.permutation(IMAGES), cuts), strict=True)
    )
    below, values = stream.random(IMAGES) < 0.5, stream.integers(CLASSES["decoy"], size=IMAGES)
    mask = np.repeat(np.stack([~below, below], axis=1), SIDE**2 // 2, axis=1)
    found = {}
    for name, (part, agrees) in PARTS.items():
        x = decoyed(squeezed, classes if agrees else values, below)
        found |= {f"{kind}.{name}": each[rows[part]] for kind, each in (("x", x), ("y", classes), ("mask", mask))}
    return found


def decoyed(squeezed: Array, values: Array, below: Array) -> Array:
    """Images (n, 64), the digit above or below a half filled with the decoy's value."""
    half = squeezed.reshape(len(squeezed), -1)
    decoy = np.broadcast_to(BRIGHTNESS * values[:, None], half.shape)
    first, second = np.where(below[:, None], half, decoy), np.where(below[:, None], decoy, half)
    return np.concatenate([first, second], axis=1).astype(np.float32)


def toy(seed: int, sizes: Toy) -> Arrays:
    """Rows of every part: a group that agrees with the class, or one that says nothing."""
    found = {}
    for name, (part, agrees) in PARTS.items():
        stream, count = streams.generator(seed, f"explanations/toy/{part}"), getattr(sizes, part)
        cluster = stream.integers(len(CLUSTERS), size=count)
        inner, far = (deviation * stream.standard_normal(count) for deviation in sizes.deviations)
        y = (cluster == 1).astype(np.int64)
        group = y if agrees else stream.integers(2, size=count)
        x = np.stack([CLUSTERS[cluster] + inner, sizes.offset * (2 * group - 1) + far], axis=1).astype(np.float32)
        found |= {f"x.{name}": x, f"y.{name}": y, f"mask.{name}": np.tile([False, True], (count, 1))}
    return found


def represent(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Masks of the student's inputs by world: `whole`; of digits `partial`, and `wrong`: as many pixels anywhere."""
    whole = upstream["data"]["decoy"]["mask.agreeing"]
    named = [streams.generator(seed, "explanations/masks") for seed in settings.data.seeds]
    drawn = np.stack([stream.random(whole.shape[1:]) for stream in named])
    ranks = drawn.argsort(axis=-1).argsort(axis=-1)
    masks = {"whole": whole, "partial": whole & (drawn < settings.represent.partial), "wrong": ranks < SIDE**2 // 2}
    return {"decoy": masks, "toy": {"whole": upstream["data"]["toy"]["mask.agreeing"]}}


def weak(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By world the teacher of every seed, trained without a mask where the decoy agrees; see ``teach``."""
    return pool.map(teach, {world: (world, settings, upstream["data"][world]) for world in CLASSES})


def teach(world: str, settings: Settings, data: Arrays) -> Arrays:
    """Weights."""
    x, y, mask = (data[f"{kind}.teacher"] for kind in ("x", "y", "mask"))
    return explained.arrays(
        explained.train(Recipe("erm"), x, y, mask, settings.data.seeds, CLASSES[world], settings.weak.training)
    )


def labels(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By world, `<labels>.<pool>` (seeds, n): classes by truth and teacher, and the teacher's dealt out at random."""
    found = {}
    for world in CLASSES:
        own, teacher = upstream["data"][world], explained.restored(upstream["weak"][world])
        told = {f"truth.{name}": own[f"y.{name}"] for name in POOLS}
        told |= {f"weak.{name}": explained.probabilities(teacher, own[f"x.{name}"]).argmax(-1) for name in POOLS}
        named = [streams.generator(seed, "explanations/shuffled") for seed in settings.data.seeds]
        told["shuffled.agreeing"] = np.stack(
            [stream.permutation(row) for stream, row in zip(named, told["weak.agreeing"], strict=True)]
        )
        found[world] = told
    return found


def strong(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Predictions of every student; see ``fit``."""
    bundles = (settings, upstream["data"], upstream["represent"], upstream["labels"])
    return pool.map(fit, {student.name: (student, *bundles) for student in students(settings.strong)})


def fit(
    student: Student,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
) -> Arrays:
    """Probabilities (seeds, n, classes) on validation, test and same; mean norms of the masked gradient (seeds,)."""
    own, mask = data[student.world], represent[student.world][student.mask]
    y, classes = labels[student.world][f"{student.labels}.{student.pool}"], CLASSES[student.world]
    x, training = own[f"x.{student.pool}"], settings.weak.training
    layers = explained.train(student.recipe, x, y, mask, settings.data.seeds, classes, training)
    found = {part: explained.probabilities(layers, own[f"x.{part}"]) for part in ("validation", "test", "same")}
    looked = {"slope": "test", "train_slope": student.pool}
    for name, part in looked.items():
        found[name] = explained.slope(layers, *(own[f"{kind}.{part}"] for kind in ("x", "y", "mask")))
    return found


def evaluate(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """A cell a student and seed, on the test, where decoys are random."""
    cells = pd.concat([*measured(settings, upstream)], ignore_index=True)
    kept, level = cells[cells["chosen"] == 1], settings.evaluate.confidence
    scores = ("student_accuracy", "worst_accuracy", "slope")
    metrics = nested(kept, "seed", ("panel", "method"), lambda members: means(members, scores, level))
    return {"cells": cells, "metrics": metrics}


def measured(settings: Settings, upstream: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Rows of each student, a seed each."""
    every = students(settings.strong)
    best = chosen(every, upstream)
    for student in every:
        own, made = upstream["data"][student.world], upstream["strong"][student.name]
        teacher = explained.probabilities(explained.restored(upstream["weak"][student.world]), own["x.test"])
        ceiling = upstream["strong"][taught_by_truth(student, every).name]
        row = scores(student, own, teacher, made, ceiling)
        places = {"split": [f"{seed}" if student.world == "decoy" else "" for seed in settings.data.seeds]}
        yield pd.DataFrame({**row, **places, "seed": settings.data.seeds, "chosen": best[student]})


def taught_by_truth(student: Student, every: list[Student]) -> Student:
    """The same recipe on the true labels of the same pool; a student of true labels is its own ceiling."""
    if student.labels == "truth":
        return student
    wanted = (student.world, student.pool, "truth", "whole", student.recipe)
    return next(other for other in every if other[1:] == wanted)


def chosen(every: list[Student], upstream: Mapping[str, Any]) -> dict[Student, Array]:
    """By student and seed 1 where its strength does best on validation among its method's in a sweep, else 0."""
    found = {student: np.zeros(len(upstream["data"]["toy"]["y.test"]), dtype=int) for student in every}
    for panel in CLASSES:
        for method in explained.METHODS:
            rivals = [student for student in every if (student.panel, student.recipe.method) == (panel, method)]
            truth = one_hot(panel, upstream["data"][panel]["y.validation"])
            right = [agreement(truth, upstream["strong"][rival.name]["validation"]) for rival in rivals]
            for seed, winner in enumerate(np.argmax(right, axis=0)):
                found[rivals[winner]][seed] = 1
    return found


def scores(student: Student, own: Arrays, teacher: Array, made: Arrays, ceiling: Arrays) -> dict[str, Any]:
    """Columns of one student, (seeds,): squared errors of probabilities, accuracies, the worst class among them."""
    y, truth, same = own["y.test"], *(one_hot(student.world, own[f"y.{part}"]) for part in ("test", "same"))
    flat = [each.reshape(len(y), -1) for each in (truth, teacher, made["test"], ceiling["test"])]
    control = {"truth": "gold", "shuffled": "shuffled"}.get(student.labels, "")
    return {
        **squared.measure(*flat, np.full(len(y), np.nan)),
        **inheritance(truth, teacher, made["test"]),
        "weak_accuracy": agreement(truth, teacher),
        "student_accuracy": agreement(truth, made["test"]),
        "ceiling_accuracy": agreement(truth, ceiling["test"]),
        "same_accuracy": agreement(same, made["same"]),
        "worst_accuracy": worst(y, made["test"]),
        "slope": made["slope"],
        "train_slope": made["train_slope"],
        "panel": student.panel,
        "dataset": student.world,
        "weak": "erm",
        "strong": "network",
        "head": "finetuned",
        "control": "random_mask" if student.mask == "wrong" else control,
        "task": 0,
        "n_train": own[f"y.{student.pool}"].shape[1],
        "n_eval": y.shape[1],
        "method": student.recipe.method,
        "penalty": student.recipe.penalty,
        "radius": student.recipe.radius,
        "mask": student.mask,
        "pool": student.pool,
        "labels": student.labels,
    }


def one_hot(world: str, y: Array) -> Array:
    """Classes (seeds, n) as (seeds, n, classes)."""
    return np.asarray(np.eye(CLASSES[world])[y])


def worst(y: Array, probabilities: Array) -> Array:
    """Least accuracy of any class, (seeds,)."""
    right = probabilities.argmax(axis=-1) == y
    return np.min(
        [np.where(y == each, right, 0).sum(axis=-1) / (y == each).sum(axis=-1) for each in np.unique(y)], axis=0
    )
