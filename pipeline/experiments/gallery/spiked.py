"""Wu and Sahai 2025 (2410.04638): with enough pseudo-labels a min-norm student undoes labels that are nearly random.

Features in d = n^p dimensions, s = n^r of them with eigenvalue n^(p - q - r), the others with 1 (bi-level Gaussian
covariance); the label is the sign of the first one.  A teacher interpolates n true labels in a world of its own, a
student with spikes of its own interpolates m = n^u of the teacher's labels.  Exponents here are ours, and so is the
prediction, by the usual account of survival and contamination with the ridge d that the small eigenvalues amount to:

    h = m lambda / (m lambda + d),   SNR^2 = h^2 c^2 / (h^2 (1 - c^2) s / m + ((1 - h)^2 c^2 + 1 - c^2) m / d),
    c = sqrt(2 / pi) corr,   accuracy = 1/2 + arctan(SNR) / pi,

so that SNR^2 grows like n^(u - u*), u* = 2 (q + r) + 2 k - p, where the teacher's correlation falls like n^(-k): below
u* the student tends to random guessing, above it to the truth.  All this where the teacher's errors are none of the
student's spikes; where they are (`shared`), it learns them as well, and no number of labels helps.
"""

from collections.abc import Iterator

import numpy as np
from scipy.linalg import solve_triangular

from pipeline.core.artifacts import Arrays
from pipeline.experiments.gallery.item import Array, Item, Row, of_labels, row
from pipeline.experiments.gallery.settings import Ensemble, Spiked
from pipeline.experiments.gallery.wishart import bartlett

TEST = 4000


def threshold(sizes: Spiked) -> float:
    """u*, with the teacher's exponent k = q + r - (p + 1) / 2."""
    weak, strong = sizes.weak, sizes.strong
    decline = weak.spike + weak.count - (weak.dimension + 1) / 2
    return 2 * (strong.spike + strong.count) + 2 * decline - strong.dimension


def snr(ensemble: Ensemble, base: int, samples: int, correlation: float) -> float:
    """Predicted signal over contamination of the interpolator of labels that correlate so with the first feature."""
    dimension, spikes, eigenvalue = sizes_of(ensemble, base)
    learned = samples * eigenvalue / (samples * eigenvalue + dimension)
    c = correlation * np.sqrt(2 / np.pi)
    tail = ((1 - learned) ** 2 * c**2 + 1 - c**2) * samples / dimension
    return float(learned * c / np.sqrt(learned**2 * (1 - c**2) * spikes / samples + tail))


def sizes_of(ensemble: Ensemble, base: int) -> tuple[int, int, float]:
    """d, s and the spikes' eigenvalue."""
    spikes = max(round(base**ensemble.count), 2)
    return round(base**ensemble.dimension), spikes, base**ensemble.dimension * base**-ensemble.spike / spikes


def interpolate(stream: np.random.Generator, spikes: Array, labels: Array, ensemble: Ensemble, base: int) -> Array:
    """Min-norm interpolator of labels: its coefficients on the white spikes, and last the norm on all other features.

    spikes: (m, s) standard normal.  The others enter by their Gram matrix alone; the inverse is Woodbury's.
    """
    dimension, count, eigenvalue = sizes_of(ensemble, base)
    root = bartlett(stream, len(spikes), dimension - count)
    solved = solve_triangular(root, np.concatenate([spikes, labels[:, None]], axis=1), lower=True, check_finite=False)
    inner, outer = solved[:, :-1], solved[:, -1]
    coefficients = np.linalg.solve(np.eye(count) / eigenvalue + inner.T @ inner, inner.T @ outer)
    # What the spikes leave, divided by the other features' Gram matrix: the norm is that of root^-1 (y - spikes b).
    return np.append(coefficients, np.linalg.norm(outer - inner @ coefficients))


def draw(stream: np.random.Generator, sizes: Spiked) -> Arrays:
    """A test: its first feature, what else the teacher hears, the student's second spike and its other features."""
    return {"test": stream.normal(size=(4, TEST))}


def teach(world: Arrays, stream: np.random.Generator, sizes: Spiked) -> Arrays:
    """Teachers for each base n: their correlations with the first feature, (replicates,)."""
    found = {}
    for base in sizes.bases:
        _, count, _ = sizes_of(sizes.weak, base)
        fitted = []
        for _ in range(sizes.replicates):
            spikes = stream.normal(size=(base, count))
            fitted.append(interpolate(stream, spikes, np.sign(spikes[:, 0]), sizes.weak, base))
        found[f"{base}"] = np.array([own[0] / np.linalg.norm(own) for own in fitted])
    return found


def learn(world: Arrays, taught: Arrays, stream: np.random.Generator, sizes: Spiked) -> Arrays:
    """Students by setting, base and u: coefficients on the first two spikes and norm of all others, (replicates, 3)."""
    found = {}
    for base, exponent, share in grid(sizes):
        samples, (_, count, _) = round(base**exponent), sizes_of(sizes.strong, base)
        students = []
        for correlation in taught[f"{base}"]:
            spikes = stream.normal(size=(samples, count))
            labels = _labels(spikes[:, 0], stream.normal(size=samples), spikes[:, 1], correlation, share)
            fitted = interpolate(stream, spikes, labels, sizes.strong, base)
            students.append([*fitted[:2], np.linalg.norm(fitted[2:])])
        found[f"{base}/{exponent:g}/{share:g}"] = np.array(students)
    return found


def grid(sizes: Spiked) -> Iterator[tuple[int, float, float]]:
    """Base, u and share of the teacher's errors that are the student's; as many labels as can be solved for."""
    for base in sizes.bases:
        shares = (0.0, sizes.shared) if base == sizes.shared_base else (0.0,)
        yield from ((base, u, share) for u in sizes.exponents for share in shares if base**u <= sizes.largest)


def _labels(first: Array, own: Array, second: Array, correlation: float, share: float) -> Array:
    """What a teacher says: the first feature drowned in errors, a share of whose variance is the second spike."""
    errors = np.sqrt(1 - share) * own + np.sqrt(share) * second
    return np.asarray(np.sign(correlation * first + np.sqrt(1 - correlation**2) * errors))


def measure(world: Arrays, taught: Arrays, learned: Arrays, sizes: Spiked) -> list[Row]:
    """The student's accuracy, exact given its coefficients, against u; means over replicates."""
    first, own, second, others = world["test"]
    rows = []
    for base, exponent, share in grid(sizes):
        correlations, students = taught[f"{base}"], learned[f"{base}/{exponent:g}/{share:g}"]
        teachers = np.array([_labels(first, own, second, correlation, share) for correlation in correlations])
        along, beside, rest = students.T[:, :, None]
        losses = of_labels(first > 0, teachers > 0, along * first + beside * second + rest * others > 0)
        samples = round(base**exponent)
        predicted = np.array([snr(sizes.strong, base, samples, correlation) for correlation in correlations])
        found = students[:, 0] / np.hypot(students[:, 1], students[:, 2])
        shared = {"regime": "outside"} if share else {}
        more = {"snr": found.mean(), "predicted_snr": predicted.mean(), "threshold": threshold(sizes), "base": base}
        weak = _accuracy(correlations / np.sqrt(1 - correlations**2)).mean()
        name = f"n = {base}" + (", shared errors" if share else "")
        told = _accuracy(predicted).mean(), _accuracy(found).mean()
        rows.append(row(name, exponent, *told, losses, weak_accuracy=weak, n_train=samples, **more, **shared))
    return rows


def _accuracy(ratio: Array) -> Array:
    return np.asarray(0.5 + np.arctan(ratio) / np.pi)


ITEM = Item(draw, teach, learn, measure)
