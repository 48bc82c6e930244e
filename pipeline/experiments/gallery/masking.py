"""Ildiz et al. 2025 (2410.18837): a teacher that masks coordinates beats true labels for n < p, not for n > p.

Ridgeless regression in p dimensions with covariance diag(lambda) on labels of the masked truth.  With tau from
sum_i lambda_i / (lambda_i + tau) = n, zeta_i = tau / (lambda_i + tau), Omega = sum_i (1 - zeta_i)^2 / n, the risk is

    R = sum_masked lambda_i b_i^2 + (sum_kept lambda_i zeta_i^2 b_i^2 + Omega sigma^2) / (1 - Omega)

in the limit of large n and p (our derivation from the standard one of ridgeless regression), so that a coordinate is
better masked where 1 - zeta_i^2 < Omega, as the paper has it.  For n > p all zeta_i are 0 and none is.
"""

import numpy as np
from scipy.optimize import brentq

from pipeline.core.artifacts import Arrays
from pipeline.experiments.gallery.item import Array, Item, Row, row
from pipeline.experiments.gallery.settings import Masking


def spectrum(sizes: Masking) -> Array:
    """Eigenvalues i^(-a) of the covariance."""
    return np.arange(1, sizes.dimension + 1) ** -sizes.decay


def draw(stream: np.random.Generator, sizes: Masking) -> Arrays:
    """The truth b: lambda_i b_i^2 = i^(-c), normalised to 1 in all, with random signs."""
    energy = np.arange(1, sizes.dimension + 1) ** -sizes.signal_decay
    signs = stream.choice([-1.0, 1.0], sizes.dimension)
    return {"truth": signs * np.sqrt(energy / energy.sum() / spectrum(sizes))}


def teach(world: Arrays, stream: np.random.Generator, sizes: Masking) -> Arrays:
    """Surrogates that keep the first coordinates and no other, (masks, p)."""
    kept = np.arange(sizes.dimension) < np.array(sizes.kept)[:, None]
    return {"surrogates": kept * world["truth"]}


def effective(sizes: Masking, samples: int) -> tuple[Array, float]:
    """zeta and Omega."""
    values = spectrum(sizes)
    if samples >= sizes.dimension:
        return np.zeros(len(values)), sizes.dimension / samples
    tau = brentq(lambda log: np.sum(values / (values + np.exp(log))) - samples, -80, 40)
    zeta = np.exp(tau) / (values + np.exp(tau))
    return zeta, float(np.sum((1 - zeta) ** 2) / samples)


def risks(truth: Array, sizes: Masking, samples: int) -> Array:
    """R for each mask."""
    (zeta, omega), energy = effective(sizes, samples), spectrum(sizes) * truth**2
    kept = np.arange(len(truth)) < np.array(sizes.kept)[:, None]
    inner = np.sum(kept * energy * zeta**2, axis=1) + omega * sizes.noise**2
    return np.asarray(np.sum(~kept * energy, axis=1) + inner / (1 - omega))


def best_kept(sizes: Masking, samples: int) -> int:
    """How many coordinates the rule 1 - zeta_i^2 > Omega keeps; zeta rises with i, so these are the first."""
    zeta, omega = effective(sizes, samples)
    return int(np.sum(1 - zeta**2 > omega))


def learn(world: Arrays, taught: Arrays, stream: np.random.Generator, sizes: Masking) -> Arrays:
    """Losses of the students of least norm by number of samples, (masks, 4): means over replicates.

    All masks share inputs and noise, which the labels of surrogate and truth carry alike.
    """
    found, scale = {}, np.sqrt(spectrum(sizes))
    truth, teachers = scale * world["truth"], scale * taught["surrogates"]
    for samples in sizes.samples:
        losses = []
        for _ in range(sizes.replicates):
            white = stream.normal(size=(samples, sizes.dimension))
            labels = white @ teachers.T + sizes.noise * stream.normal(size=(samples, 1))
            students = scale * least_norm(white * scale, labels).T
            cross = np.sum((students - teachers) * (students - truth), axis=1)
            squares = [
                np.sum((a - b) ** 2, axis=1) for a, b in ((teachers, truth), (students, truth), (students, teachers))
            ]
            losses.append(np.stack([*squares, cross], axis=1))
        found[f"{samples}"] = np.mean(losses, axis=0)
    return found


def least_norm(x: Array, labels: Array) -> Array:
    """Least squares, of least norm where there are fewer samples than dimensions."""
    if len(x) < x.shape[1]:
        return np.asarray(x.T @ np.linalg.solve(x @ x.T, labels))
    return np.asarray(np.linalg.solve(x.T @ x, x.T @ labels))


def measure(world: Arrays, taught: Arrays, learned: Arrays, sizes: Masking) -> list[Row]:
    """The student's risk against the share of coordinates kept; keeping all is learning from true labels."""
    rows = []
    for samples in sizes.samples:
        name = "n < p" if samples < sizes.dimension else "n > p"
        predicted, gold = risks(world["truth"], sizes, samples), learned[f"{samples}"][-1][1]
        for kept, risk, losses in zip(sizes.kept, predicted, learned[f"{samples}"], strict=True):
            more = {"x": kept / sizes.dimension, "ceiling_error": gold, "n_train": samples}
            more |= {"best_kept": best_kept(sizes, samples), "regime": "inside" if name == "n < p" else "outside"}
            rows.append(row(name, kept, risk, losses[1], losses, **more))
    return rows


ITEM = Item(draw, teach, learn, measure)
