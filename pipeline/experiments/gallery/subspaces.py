"""Dong et al. 2025 (2502.05075): the variance of weak-to-strong ridgeless regression falls where features disagree.

    Var(weak) = sigma^2 d_w / n,   Var(student) = (sigma^2 / n) [o + (d_s / N) (d_w - o)],   o = ||V_s' V_w||_F^2

for least squares on d_w and d_s intrinsic features, n true labels and N weak ones.  The truth is 0 here: least squares
is equivariant, so that this is the variance for any truth that both subspaces hold.
"""

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.experiments.gallery.item import Array, Item, Row, of_vectors, row
from pipeline.experiments.gallery.settings import Subspaces

ENOUGH = 20  # weak labels a feature, from which on the formula for many of them is held to account


def bases(sizes: Subspaces) -> dict[str, Array]:
    """Student's bases (d_w + d_s, d_s) by name: `shared` has some directions of the teacher, `tilted` leans to all."""
    weak, strong = (
        np.eye(sizes.weak + sizes.strong)[:, : sizes.weak],
        np.eye(sizes.weak + sizes.strong)[:, sizes.weak :],
    )
    found = {}
    for overlap in sizes.overlaps:
        found[f"shared {overlap}"] = np.concatenate([weak[:, :overlap], strong[:, overlap:]], axis=1)
        share = overlap / sizes.strong
        if 0 < share < 1:
            found[f"tilted {overlap}"] = np.sqrt(share) * weak[:, : sizes.strong] + np.sqrt(1 - share) * strong
    return found


def variance(sizes: Subspaces, overlap: float, labels: int) -> float:
    """The paper's Var(student)."""
    inherited = overlap + sizes.strong / labels * (sizes.weak - overlap)
    return float(sizes.noise**2 / sizes.gold * inherited)


def exact(sizes: Subspaces, overlap: float, labels: int) -> float:
    """The same for Gaussian features at any n > d_w + 1 and N > d_s + 1: inverse Wishart means (ours)."""
    inherited = overlap + sizes.strong / (labels - sizes.strong - 1) * (sizes.weak - overlap)
    return float(sizes.noise**2 / (sizes.gold - sizes.weak - 1) * inherited)


def draw(stream: np.random.Generator, sizes: Subspaces) -> Arrays:
    """The student's bases; the teacher has the first d_w coordinates."""
    return bases(sizes)


def teach(world: Arrays, stream: np.random.Generator, sizes: Subspaces) -> Arrays:
    """Least squares on n noisy labels of the truth 0, for every replicate: (replicates, d_w)."""
    x = stream.normal(size=(sizes.replicates, sizes.gold, sizes.weak))
    noise = sizes.noise * stream.normal(size=(sizes.replicates, sizes.gold))
    return {"teachers": _least_squares(x, noise)}


def learn(world: Arrays, taught: Arrays, stream: np.random.Generator, sizes: Subspaces) -> Arrays:
    """Least squares on N labels of each teacher: `<basis>/<N>` -> (replicates, d_s)."""
    found: dict[str, list[Array]] = {}
    for teacher in taught["teachers"]:
        inputs = stream.normal(size=(max(sizes.labels), sizes.weak + sizes.strong))
        for name, basis in bases(sizes).items():
            for labels in sizes.labels:
                shown = inputs[:labels]
                student = _least_squares((shown @ basis)[None], (shown[:, : sizes.weak] @ teacher)[None])[0]
                found.setdefault(f"{name}/{labels}", []).append(student)
    return {name: np.array(students) for name, students in found.items()}


def measure(world: Arrays, taught: Arrays, learned: Arrays, sizes: Subspaces) -> list[Row]:
    """The student's variance over replicates against N, a series a basis."""
    teachers = np.pad(taught["teachers"], ((0, 0), (0, sizes.strong)))
    rows = []
    for name, basis in bases(sizes).items():
        overlap = float(np.sum(basis[: sizes.weak] ** 2))
        for labels in sizes.labels:
            losses = of_vectors(np.zeros(1), teachers, learned[f"{name}/{labels}"] @ basis.T)
            rows.append(
                row(
                    name,
                    labels,
                    variance(sizes, overlap, labels),
                    losses[1],
                    losses,
                    exact=exact(sizes, overlap, labels),
                    regime="inside" if labels >= ENOUGH * sizes.strong else "outside",
                    n_train=labels,
                )
            )
    return rows


def _least_squares(x: Array, y: Array) -> Array:
    turned = np.swapaxes(x, -1, -2)
    return np.asarray(np.linalg.solve(turned @ x, turned @ y[..., None])[..., 0])


ITEM = Item(draw, teach, learn, measure)
