"""Lang, Sontag and Vijayaraghavan 2024 (2405.16043): neighbours of wrongly labelled points put their labels right.

Of one class, S are points that the teacher labels, a share alpha of them wrongly, T those that it leaves out.  Where
robust, rightly told points reach a share c of the wrongly labelled ones as theirs among the right ones (expansion),

    err(f, y | S) <= 2 alpha / (1 - 2 alpha) P(not robust | S) + err(f, weak | S) + alpha (1 - 3 c / 2)
    err(f, y | T) <= (1 + alpha / (1 - 2 alpha)) P(not robust | T)
                     + max(0, (err(f, weak | S) - c alpha) / (c (1 - 2 alpha)))

(correction, coverage; the second with the expansion of T towards S).  Here a class is a ring of places, the neighbours
of a place are those within a radius, and the teacher errs in stretches: of single places, so that errors have right
neighbours, up to longer than a neighbourhood.  Which sets expand is our reading: those that students of the same kind,
fitted on other samples, get right or wrong.
"""

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.experiments.gallery.item import Array, Item, Row, of_labels, row
from pipeline.experiments.gallery.settings import Expansion

RIGHT, WRONG, UNCOVERED = 0, 1, 2
TIE = 1e-9  # what counts as 0, so that rounding decides no label
CORRECTS = 2 / 3  # expansion above which the correction bound can lie below alpha


def draw(stream: np.random.Generator, sizes: Expansion) -> Arrays:
    """Which blocks of places will be rightly told, wrongly told and left out: `<alpha>/<length>` -> (places,)."""
    found = {}
    for name, (alpha, length) in grid(sizes).items():
        blocks = sizes.places // length
        uncovered = max(round(sizes.uncovered * blocks), 1)
        wrong = max(round(alpha * (blocks - uncovered)), 1)
        kinds = np.repeat([RIGHT, WRONG, UNCOVERED], [blocks - wrong - uncovered, wrong, uncovered])
        found[name] = np.repeat(stream.permutation(kinds), length)
    return found


def grid(sizes: Expansion) -> dict[str, tuple[float, int]]:
    """Share of errors and length of their stretches, by name."""
    return {f"{alpha:g}/{length}": (alpha, length) for alpha in sizes.errors for length in sizes.stretches}


def teach(world: Arrays, stream: np.random.Generator, sizes: Expansion) -> Arrays:
    """Weak labels of the class 1: 1, 0, or -1 where the teacher says nothing."""
    return {name: np.array([1, 0, -1])[kinds] for name, kinds in world.items()}


def learn(world: Arrays, taught: Arrays, stream: np.random.Generator, sizes: Expansion) -> Arrays:
    """Labels by students fitted on samples of the covered places, (students, places), and by one that knows them all.

    A student is the sign of a least-squares polynomial in the place's sine and cosine; `memorises` repeats the weak
    label of the nearest covered place.
    """
    found = {}
    for name in grid(sizes):
        told = taught[name]
        angle = 2 * np.pi * np.arange(len(told)) / len(told)
        waves = np.outer(angle, np.arange(1, sizes.harmonics + 1))
        design = np.concatenate([np.ones((len(told), 1)), np.cos(waves), np.sin(waves)], axis=1)
        covered = np.flatnonzero(told >= 0)
        samples = [
            stream.choice(covered, min(sizes.samples, len(covered)), replace=False) for _ in range(sizes.students)
        ]
        fits = [design @ np.linalg.lstsq(design[own], 2.0 * told[own] - 1, rcond=None)[0] > TIE for own in samples]
        apart = np.abs(np.arange(len(told))[:, None] - covered)
        nearest = covered[np.minimum(apart, len(told) - apart).argmin(axis=1)]
        found |= {f"{name}/smooth": np.array(fits), f"{name}/memorises": told[nearest][None] == 1}
    return found


def within(marked: Array, radius: int) -> Array:
    """Whether a marked place is within the radius of each place of the ring, itself included: (..., places)."""
    return np.logical_or.reduce([np.roll(marked, shift, axis=-1) for shift in range(-radius, radius + 1)])


def expansion(marked: Array, among: Array, towards: Array, radius: int) -> Array:
    """Share of ``towards`` next to marked places, over the share of ``among`` that is marked; inf where none is."""
    reached = (within(marked & among, radius) & towards).sum(axis=-1) / towards.sum()
    share = (marked & among).sum(axis=-1) / among.sum()
    return np.divide(reached, share, out=np.full(share.shape, np.inf), where=share > 0)


def measure(world: Arrays, taught: Arrays, learned: Arrays, sizes: Expansion) -> list[Row]:
    """The students' error on covered points of the class against the length of wrong stretches, and both bounds."""
    names = [f"{place}/{kind}" for place in grid(sizes) for kind in ("smooth", "memorises")]
    return [_measured(name, world, taught, learned[name], sizes) for name in names]


def _measured(name: str, world: Arrays, taught: Arrays, right: Array, sizes: Expansion) -> Row:
    place, kind = name.rsplit("/", 1)
    kinds, told = world[place], taught[place] == 1
    good, bad, left = (kinds == which for which in (RIGHT, WRONG, UNCOVERED))
    covered, fragile = good | bad, within(right, sizes.radius) & within(~right, sizes.radius)
    firm, firmly_wrong = right & ~fragile, ~right & ~fragile
    alpha = bad.sum() / covered.sum()
    differs, unsure = ((right != told)[:, covered]).mean(axis=1), fragile[:, covered].mean(axis=1)
    c = min(expansion(firm, good, bad, sizes.radius).min(), 1.0)
    bound = 2 * alpha / (1 - 2 * alpha) * unsure + differs + alpha * (1 - 1.5 * c)
    error = (~right)[:, covered].mean(axis=1)
    outward = [expansion(firmly_wrong, left, good, sizes.radius), expansion(firm, left, bad, sizes.radius)]
    c_left = min(np.min(outward), 1.0)
    coverage = np.ones(len(right))  # without expansion there is no bound
    if c_left > 0:
        beyond = np.maximum(0, (differs - c_left * alpha) / (c_left * (1 - 2 * alpha)))
        coverage = np.minimum((1 + alpha / (1 - 2 * alpha)) * fragile[:, left].mean(axis=1) + beyond, 1)
    missed = (~right)[:, left].mean(axis=1)
    level, length = place.split("/")
    losses = of_labels(
        np.ones(covered.sum()), np.broadcast_to(told[covered], right[:, covered].shape), right[:, covered]
    )
    return row(
        f"{kind}, α = {level}",
        int(length),
        bound.mean(),
        error.mean(),
        losses,
        x=int(length) / sizes.radius,
        regime="inside" if c > CORRECTS and kind == "smooth" else "outside",
        expansion=c,
        bound_excess=float((error - bound).max()),
        coverage_bound=float(coverage.mean()),
        coverage_error=float(missed.mean()),
        coverage_excess=float((missed - coverage).max()),
    )


ITEM = Item(draw, teach, learn, measure)
