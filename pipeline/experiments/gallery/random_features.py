"""Medvedev et al. 2025 (2503.02877): a wide student, stopped early, turns a teacher's error L into a power of it.

A teacher of M random features is fitted on the population; the student, of infinite width, follows the gradient flow of
the kernel of such features on the teacher's outputs.  Linear features: L^2, and no student does better than about L^2;
ReLU features on the sphere: at most L^1.49, up to logarithms.  Not stopped, the student ends as its teacher.

Everything is a population quantity here, so no input is drawn: linear features by their Gram matrix, ReLU features by
the degrees of their spherical harmonics.  The stopping time is the best one for the truth.
"""

from collections.abc import Iterator

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import comb, roots_gegenbauer

from pipeline.core.artifacts import Arrays
from pipeline.experiments.gallery.item import Array, Item, Row, row
from pipeline.experiments.gallery.settings import RandomFeatures
from pipeline.experiments.gallery.wishart import bartlett

EXPONENTS = {"linear": 2.0, "relu": 1.49}
DEGREES = 24  # of spherical harmonics; what is beyond is not learned before the student stops
TIMES = np.logspace(-1, 6, 1401)  # of the gradient flow, in units of its rate along the truth


def draw(stream: np.random.Generator, sizes: RandomFeatures) -> Arrays:
    """Directions of the ReLU features on the sphere, (M, d); the truth is the first coordinate, of variance 1."""
    directions = stream.normal(size=(max(sizes.relu), sizes.dimension))
    return {"directions": directions / np.linalg.norm(directions, axis=1, keepdims=True)}


def teach(world: Arrays, stream: np.random.Generator, sizes: RandomFeatures) -> Arrays:
    """Each teacher's energies by degree, with the one that holds the truth first: `<kind>/<M>` -> (degrees,)."""
    found = {f"linear/{width}": linear(stream, width) for width in sizes.linear}
    return found | {f"relu/{width}": relu(world["directions"][:width]) for width in sizes.relu}


def linear(stream: np.random.Generator, width: int) -> Array:
    """Energies along the truth and across of the best combination of M features N(0, diag(1, e, ..., e)), e = d^(-2/3).

    In d = M^(3/2) dimensions, as in the paper; features enter by their Gram matrix alone, drawn as Wishart's.
    """
    dimension = round(width**1.5)
    along, root = stream.normal(size=width), bartlett(stream, width, dimension - 1) * dimension ** (-1 / 3)
    # (a a' + R R')^-1 a, by Sherman and Morrison.
    half = solve_triangular(root, along, lower=True)
    projected = half @ half / (1 + half @ half)
    return np.array([projected**2, projected * (1 - projected)])


def relu(directions: Array) -> Array:
    """Energies of the best combination of M ReLU features: along the truth, across it in degree 1, then 0, 2, 3, ..."""
    dimension, cosines = directions.shape[1], np.clip(directions @ directions.T, -1, 1)
    targets = directions[:, 0] / (2 * np.sqrt(dimension))
    weights = np.linalg.solve(_kernel(cosines) / dimension + 1e-14 * np.eye(len(cosines)), targets)
    shares, along = _shares(dimension), float(targets @ weights) ** 2
    energies = [
        share * weights @ values @ weights for share, values in zip(shares, _legendre(cosines, dimension), strict=True)
    ]
    return np.maximum([along, energies[1] - along, energies[0], *energies[2:]], 0)


def learn(world: Arrays, taught: Arrays, stream: np.random.Generator, sizes: RandomFeatures) -> Arrays:
    """The share of each degree that a student has learned when it stops: `<kind>/<M>` -> (degrees,)."""
    found = {}
    for name, energies in taught.items():
        rates = rates_of(name, sizes)
        shares = -np.expm1(-TIMES[:, None] * rates / rates[0])
        along = np.sqrt(energies[0])
        errors = (1 - shares[:, 0] * along) ** 2 + shares[:, 1:] ** 2 @ energies[1:]
        found[name] = shares[errors.argmin()]
    return found


def rates_of(name: str, sizes: RandomFeatures) -> Array:
    """Eigenvalues of the student's kernel, in the order of the energies."""
    kind, width = name.split("/")
    if kind == "linear":
        return np.array([1.0, round(int(width) ** 1.5) ** (-2 / 3)])
    degrees = np.arange(DEGREES + 1)
    lower = comb(degrees + sizes.dimension - 3, degrees - 2) * (degrees > 1)
    rates = _shares(sizes.dimension) / (comb(degrees + sizes.dimension - 1, degrees) - lower)
    return np.maximum([rates[1], rates[1], rates[0], *rates[2:]], 0)


def measure(world: Arrays, taught: Arrays, learned: Arrays, sizes: RandomFeatures) -> list[Row]:
    """Student's against teacher's error; the line goes through the narrowest teacher's student, but for linear features
    through L^2 itself.  `not stopped`: the student that learned all.
    """
    rows: list[Row] = []
    start: dict[str, tuple[float, float]] = {}
    widths = [("linear", width) for width in sizes.linear] + [("relu", width) for width in sizes.relu]
    for kind, width in sorted(widths):
        name = f"{kind}/{width}"
        energies = taught[name]
        stopped = _losses(energies, learned[name])
        base = start.setdefault(kind, (stopped[0], stopped[1]) if kind == "relu" else (1.0, 1.0))
        predicted = base[1] * (stopped[0] / base[0]) ** EXPONENTS[kind]
        rows.append(row(kind, width, predicted, stopped[1], stopped, x=stopped[0]))
        final = _losses(energies, np.ones(len(energies)))
        never = {"x": final[0], "regime": "outside"}
        rows.append(row(f"{kind}, not stopped", width, predicted, final[1], final, **never))
    return rows


def _losses(energies: Array, shares: Array) -> Array:
    along, rest = np.sqrt(energies[0]), energies[1:].sum()
    weak, student = (1 - along) ** 2 + rest, (1 - shares[0] * along) ** 2 + shares[1:] ** 2 @ energies[1:]
    misfit = (1 - shares) ** 2 @ energies
    cross = -(1 - shares) @ (shares * energies) + (1 - shares[0]) * along
    return np.array([weak, student, misfit, cross])


def _kernel(cosines: Array) -> Array:
    """E ReLU(u.x) ReLU(v.x) of white x, by the cosine of unit u and v (Cho and Saul 2009)."""
    return np.asarray((np.sqrt(1 - cosines**2) + cosines * (np.pi - np.arccos(cosines))) / (2 * np.pi))


def _legendre(cosines: Array, dimension: int) -> Iterator[Array]:
    """Legendre polynomials of a sphere's dimension, 1 at 1, by degree."""
    before, now = np.zeros_like(cosines), np.ones_like(cosines)
    for k in range(DEGREES + 1):
        yield now
        ahead = (2 * k + dimension - 2) * cosines * now - k * before
        before, now = now, ahead / (k + dimension - 2)


def _shares(dimension: int) -> Array:
    """How the kernel on the sphere, of inputs of norm 1, divides into degrees: it is sum_k share_k P_k(cosine)."""
    nodes, weights = roots_gegenbauer(400, dimension / 2 - 1)
    kernel = weights * _kernel(nodes) / dimension
    return np.array([kernel @ each / (weights @ each**2) for each in _legendre(nodes, dimension)])


ITEM = Item(draw, teach, learn, measure)
