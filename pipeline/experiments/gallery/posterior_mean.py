"""Xu et al. 2025 (2505.24313): gain equals misfit on average over teachers where the student is their mean.

For any student s, teacher w and truth y: misfit - gain = 2 E (s - w)(s - y).  Averaged over the teachers that could
have been drawn, the right side is 2 E (s - w_mean)(s - y): 0 where the student is the teachers' (posterior) mean.
A student that is the mean of m of T teachers, taken at random, leaves (ours, by sampling without replacement)

    2 V (T - m) / (m (T - 1)),   V = the variance of the teachers about their mean.
"""

from itertools import product

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.experiments.gallery.item import Array, Item, Row, row
from pipeline.experiments.gallery.settings import PosteriorMean

RIDGE = 1e-3  # of mean squared features; keeps teachers of few labels finite
WIDE = 10  # times the teacher's features, from which on a student can be its teachers' mean


def draw(stream: np.random.Generator, sizes: PosteriorMean) -> Arrays:
    """A truth: tanh of random directions; inputs of the student, and of a test."""
    inside = stream.normal(size=(sizes.inputs, 8)) / np.sqrt(sizes.inputs)
    outside = stream.normal(size=8)
    x = {part: stream.normal(size=(getattr(sizes, part), sizes.inputs)) for part in ("student", "test")}
    return {"inside": inside, "outside": outside, **x}


def truth(world: Arrays, x: Array) -> Array:
    """Its values."""
    return np.asarray(np.tanh(2 * x @ world["inside"]) @ world["outside"])


def teach(world: Arrays, stream: np.random.Generator, sizes: PosteriorMean) -> Arrays:
    """T teachers, each with its own noisy labels and features: what they say on the student's inputs and the test."""
    said: dict[str, list[Array]] = {"student": [], "test": []}
    for _ in range(sizes.teachers):
        x = stream.normal(size=(sizes.gold, sizes.inputs))
        labels = truth(world, x) + sizes.noise * stream.normal(size=sizes.gold)
        directions = _directions(stream, sizes.inputs, sizes.features)
        weights = _ridge(_features(x, directions), labels, RIDGE)
        for part, told in said.items():
            told.append(_features(world[part], directions) @ weights)
    return {part: np.array(told) for part, told in said.items()}


def learn(world: Arrays, taught: Arrays, stream: np.random.Generator, sizes: PosteriorMean) -> Arrays:
    """Students on the mean of m teachers, over random choices of these: `<width>/<m>` -> (choices, test)."""
    found = {}
    chosen = [[stream.permutation(sizes.teachers)[:m] for _ in range(sizes.choices)] for m in sizes.averaged]
    for width in sizes.widths:
        directions = _directions(stream, sizes.inputs, width)
        shown, asked = (_features(world[part], directions) for part in ("student", "test"))
        for m, choices in zip(sizes.averaged, chosen, strict=True):
            targets = np.stack([taught["student"][own].mean(axis=0) for own in choices], axis=1)
            found[f"{width}/{m}"] = (asked @ _ridge(shown, targets, 1e-9)).T
    return found


def measure(world: Arrays, taught: Arrays, learned: Arrays, sizes: PosteriorMean) -> list[Row]:
    """(misfit - gain) / V over all T teachers against m, a series a width."""
    told, y = taught["test"], truth(world, world["test"])
    variance = float(told.var(axis=0).mean())
    rows = []
    for width, m in product(sizes.widths, sizes.averaged):
        students = learned[f"{width}/{m}"]
        s, w = students[:, None], told[None]
        losses = np.array([np.mean(z) for z in ((w - y) ** 2, (s - y) ** 2, (s - w) ** 2, (s - w) * (s - y))])
        predicted = 2 * (sizes.teachers - m) / (m * (sizes.teachers - 1))
        regime = "inside" if width >= WIDE * sizes.features else "outside"
        measured = 2 * losses[3] / variance
        rows.append(row(f"{width} features", m, predicted, measured, losses, regime=regime, teacher_variance=variance))
    return rows


def _directions(stream: np.random.Generator, inputs: int, width: int) -> Array:
    return np.concatenate([stream.normal(size=(inputs, width)), stream.normal(size=(1, width))])


def _features(x: Array, directions: Array) -> Array:
    return np.asarray(np.maximum(x @ directions[:-1] + directions[-1], 0) / np.sqrt(directions.shape[1]))


def _ridge(x: Array, y: Array, penalty: float) -> Array:
    gram = x.T @ x
    return np.asarray(np.linalg.solve(gram + penalty * np.trace(gram) / len(gram) * np.eye(len(gram)), x.T @ y))


ITEM = Item(draw, teach, learn, measure)
