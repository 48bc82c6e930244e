"""Calibration of predicted distributions (Yao et al. 2025, "B"): binned, smooth and exact errors; temperature.

predicted and outcome have shape (..., n, k); outcome holds one-hot labels, or the label's distribution given the input
where it is known (the same expectation, without the noise of drawing).  Results average over n, shape (...).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax

from .classification_bounds import calibration_width
from .divergence import mean, same_points

Array = NDArray[np.float64]
BINNINGS = ("width", "mass")
GRID = 100  # steps of [0, 1] between which the test functions of the smooth error are straight
COLDEST, HOTTEST = 0.05, 20.0  # between which a temperature is sought


class Reliability(NamedTuple):
    """Reliability diagram, one entry a bin, shape (..., bins); NaN means in an empty bin."""

    count: Array  # type: ignore[assignment]  # a tuple has a method of that name, not needed here
    confidence: Array  # mean predicted probability
    frequency: Array  # mean outcome


class Counterexample(NamedTuple):
    """Two inputs, a teacher and a student close to it, and both sides of the bound as recalled."""

    teacher_error: float
    student_error: float
    width: float
    disagreement: float


def top_label_error(predicted: ArrayLike, outcome: ArrayLike, bins: int, binning: str = "width") -> Array:
    """ECE: mean over points of |confidence - accuracy| in the bin of the predicted class's probability."""
    return _binned_error(*top_label(*_pair(predicted, outcome, bins)), bins, binning)


def gaps_by_bin(predicted: ArrayLike, outcome: ArrayLike, bins: int) -> Array:
    """What each point adds to the gap of its bin of equal width, (..., n, bins); ECE is the sum of |mean over n|."""
    confidence, hit = top_label(*_pair(predicted, outcome, bins))
    return (hit - confidence)[..., None] * np.eye(bins)[_bin(confidence, bins, "width")]


def marginal_error(predicted: ArrayLike, outcome: ArrayLike, bins: int, binning: str = "width") -> Array:
    """Binned form of B's MCE = sum_i E |F_i - P(Y_i = 1 | F_i)|."""
    predicted, outcome = _pair(predicted, outcome, bins)
    classes = range(predicted.shape[-1])
    return np.sum([_binned_error(predicted[..., i], outcome[..., i], bins, binning) for i in classes], axis=0)


def debiased_top_label_error(predicted: ArrayLike, outcome: ArrayLike, bins: int, binning: str = "mass") -> Array:
    """Root-mean-square calibration error of the top label with the binned estimate's noise taken off.

    In each bin of m >= 2 points the squared gap is lowered by the unbiased variance of its mean (Kumar, Liang and Ma
    2019); a total below zero counts as zero.  An L2 error: it is at least the L1 error that it stands beside.
    """
    confidence, hit = top_label(*_pair(predicted, outcome, bins))
    where = _bin(confidence, bins, binning)
    count, gap, square = (_per_bin(values, where, bins) for values in (None, hit - confidence, (hit - confidence) ** 2))
    enough = np.maximum(count, 2)
    gap_mean = gap / enough
    noise = (square - enough * gap_mean**2) / (enough - 1) / enough
    total = np.sum(np.where(count >= 2, count * (gap_mean**2 - noise), 0), axis=-1)
    return np.sqrt(np.maximum(total / confidence.shape[-1], 0))


def reliability(predicted: ArrayLike, outcome: ArrayLike, bins: int, binning: str = "width") -> Reliability:
    """Numbers of the top-label reliability diagram."""
    confidence, hit = top_label(*_pair(predicted, outcome, bins))
    where = _bin(confidence, bins, binning)
    count, mean_confidence, mean_hit = (_per_bin(values, where, bins) for values in (None, confidence, hit))
    with np.errstate(invalid="ignore"):
        return Reliability(count, mean_confidence / count, mean_hit / count)


def overconfidence(predicted: ArrayLike, outcome: ArrayLike) -> Array:
    """Mean top-label confidence less accuracy: above 0 over-confident, below 0 under-confident; ECE >= |.|."""
    confidence, hit = top_label(*same_points(predicted=predicted, outcome=outcome))
    return np.mean(confidence - hit, axis=-1)


def smooth_error(predicted: ArrayLike, outcome: ArrayLike, grid: int = GRID) -> Array:
    """sum_i smCE_i, smCE_i = sup_u E[u(F_i) (Y_i - F_i)] over 1-Lipschitz u from [0, 1] to [-1, 1].

    Smooth calibration error of each class (Blasiok, Gopalan, Hu and Nakkiran 2023), which is within constant factors of
    the distance to the nearest calibrated predictor, and continuous in the predictor where binned errors jump:

        |E u(F)(Y - F) - E u(G)(Y - G)| <= E |u(F) - u(G)| |Y - F| + E |u(G)| |F - G| <= 2 E |F - G|

    for every u, so the sum changes by at most 2 E sum_i |F_i - G_i| = 4 E TV.  For the top label this fails: which
    class is on top is not continuous.  Here u is straight between the points j / grid, which keeps that inequality and
    costs at most E sum_i |Y_i - F_i| / (2 grid) of the supremum.  The best such u takes multiples of 1 / grid at these
    points, so a dynamic programme over them is exact.
    """
    predicted, outcome = same_points(predicted=predicted, outcome=outcome)
    if grid < 1:
        raise ValueError(f"grid is {grid}; the interval [0, 1] needs at least 1 step")
    values, residuals = (np.moveaxis(array, -1, -2) for array in (predicted, outcome - predicted))  # (..., k, n)
    left = np.minimum((values * grid).astype(np.int64), grid - 1)
    share = values * grid - left
    weight = _per_bin(residuals * (1 - share), left, grid + 1) + _per_bin(residuals * share, left + 1, grid + 1)
    return _best_test_function(weight / predicted.shape[-2]).sum(axis=-1)


def _best_test_function(weight: Array) -> Array:
    """max sum_j u_j weight_j over |u_j| <= 1 and |u_j+1 - u_j| <= 1 / grid: (..., grid + 1) -> (...)."""
    grid = weight.shape[-1] - 1
    levels = np.arange(-grid, grid + 1) / grid
    best = weight[..., :1] * levels  # by the level of u at the latest point
    for place in range(1, grid + 1):
        reached = best.copy()
        np.maximum(reached[..., 1:], best[..., :-1], out=reached[..., 1:])
        np.maximum(reached[..., :-1], best[..., 1:], out=reached[..., :-1])
        best = reached + weight[..., place, None] * levels
    return np.asarray(best.max(axis=-1))


def temperature(predicted: ArrayLike, outcome: ArrayLike, steps: int = 30) -> Array:
    """By which log-probabilities are best divided on held-out points: least cross-entropy (Guo et al. 2017), (...).

    The loss is convex in 1 / T: Newton steps in a bracket that the sign of the slope narrows; predictions above 0.
    """
    predicted, outcome = same_points(predicted=predicted, outcome=outcome)
    if predicted.min() <= 0:
        raise ValueError("predicted holds a zero; put a floor under it, see divergence.floored")
    logits = np.log(predicted)
    wanted = np.mean(np.sum(outcome * logits, axis=-1), axis=-1)
    low, high = np.full(wanted.shape, 1 / HOTTEST), np.full(wanted.shape, 1 / COLDEST)
    inverse = np.ones(wanted.shape)
    for _ in range(steps):
        told = np.exp(log_softmax(logits * inverse[..., None, None], axis=-1))
        centre = np.sum(told * logits, axis=-1)
        spread = np.mean(np.sum(told * np.square(logits), axis=-1) - np.square(centre), axis=-1)
        slope = np.mean(centre, axis=-1) - wanted
        low, high = np.where(slope < 0, inverse, low), np.where(slope > 0, inverse, high)
        moved = inverse - slope / np.maximum(spread, 1e-12)
        moved = np.where((low < moved) & (moved < high), moved, np.sqrt(low * high))
        if np.allclose(moved, inverse, rtol=1e-10, atol=0):
            break
        inverse = moved
    return 1 / inverse


def tempered(predicted: ArrayLike, by: ArrayLike) -> Array:
    """Predictions (..., n, k) with their log-probabilities divided by temperatures (...)."""
    return np.exp(log_softmax(np.log(predicted) / np.asarray(by)[..., None, None], axis=-1))


def exact_marginal_error(predicted: ArrayLike, posterior: ArrayLike) -> float:
    """MCE without bins, by conditioning on the exact value of each output: for predictors with few values, (n, k)."""
    predicted, posterior = same_points(predicted=predicted, posterior=posterior)
    return float(sum(_exact_gap(f, y) for f, y in zip(predicted.T, posterior.T, strict=True)))


def conditional_error(predicted: ArrayLike, posterior: ArrayLike) -> Array:
    """E sum_i |F_i - E[Y_i | X]|: changes between two predictors by at most 2 E TV, the repaired B-3."""
    return 2 * mean("total_variation", predicted, posterior)


def shared_partition_error(predicted: ArrayLike, outcome: ArrayLike, cells: NDArray[np.int64]) -> Array:
    """sum_i E |E[F_i - Y_i | cell]| over a partition of the points that does not depend on the predictor, shape (n,).

    Changes between two predictors by at most 2 E TV, whatever the partition: the other repair of B-3.
    """
    predicted, outcome = same_points(predicted=predicted, outcome=outcome)
    if cells.shape != predicted.shape[-2:-1] or cells.min() < 0:
        raise ValueError(
            f"cells have shape {cells.shape}, expected one number >= 0 for each of {predicted.shape[-2]} points"
        )
    membership = np.eye(int(cells.max()) + 1)[cells]
    sums = np.einsum("nc,...nk->...ck", membership, predicted - outcome)
    return np.abs(sums).sum(axis=(-1, -2)) / len(cells)


def counterexample(delta: float) -> Counterexample:
    """The bound as recalled, refuted: calibration conditional on a model's own output is not continuous in the model.

    X is a or b, each with probability 1/2; the label is 1 at a and 0 at b.  A teacher that says 1/2 everywhere is
    calibrated; a student that leans to the right class by delta is off by 1 - 2 delta.  KL = -log(1 - 4 delta^2) / 2.
    """
    if not 0 < delta < 0.5:
        raise ValueError(f"delta is {delta}; expected a number between 0 and 0.5, both excluded")
    truth, teacher = np.eye(2), np.full((2, 2), 0.5)
    student = teacher + delta * (2 * truth - 1)
    disagreement = float(mean("forward_kl", teacher, student))
    errors = (exact_marginal_error(model, truth) for model in (teacher, student))
    return Counterexample(*errors, width=float(calibration_width(disagreement)), disagreement=disagreement)


def top_label(predicted: Array, outcome: Array) -> tuple[Array, Array]:
    """Probability of each point's predicted class, and how often that class is right: each (..., n)."""
    top = predicted.argmax(axis=-1)[..., None]
    return np.take_along_axis(predicted, top, -1)[..., 0], np.take_along_axis(outcome, top, -1)[..., 0]


def _pair(predicted: ArrayLike, outcome: ArrayLike, bins: int) -> tuple[Array, Array]:
    predicted, outcome = same_points(predicted=predicted, outcome=outcome)
    points = predicted.shape[-2]
    if not 1 <= bins <= points:
        raise ValueError(f"{bins} bins for {points} samples; use at least 1 bin and at most as many as samples")
    share = outcome.mean(axis=-2)
    if (share.max(axis=-1) > 1 - 1e-9).any():
        only = int(share.reshape(-1, share.shape[-1]).max(axis=0).argmax())
        raise ValueError(f"only class {only} occurs among {points} labels; calibration needs two, draw another split")
    return predicted, outcome


def _bin(values: Array, bins: int, binning: str) -> NDArray[np.int64]:
    """Bin of each value along the last axis: equal width on [0, 1], or equal numbers of points by rank.

    Equal values share a bin, that of their middle rank: an order among them would sort them by something else.
    """
    if binning not in BINNINGS:
        raise ValueError(f"binning is '{binning}'; choose from {', '.join(BINNINGS)}")
    if binning == "width":
        return np.minimum((values * bins).astype(np.int64), bins - 1)
    return np.apply_along_axis(_twice_middle_rank, -1, values) * bins // (2 * values.shape[-1])


def _twice_middle_rank(values: Array) -> NDArray[np.int64]:
    """First plus last rank of those equal to each value, shape (n,)."""
    ordered = np.sort(values)
    return np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right") - 1


def _per_bin(values: Array | None, where: NDArray[np.int64], bins: int) -> Array:
    """Sums (or counts) in each bin: (..., n) -> (..., bins)."""
    rows = where.reshape(-1, where.shape[-1])
    flat = (rows + bins * np.arange(len(rows))[:, None]).ravel()
    sums = np.bincount(flat, None if values is None else values.ravel(), minlength=bins * len(rows))
    return sums.reshape(*where.shape[:-1], bins).astype(np.float64)


def _binned_error(confidence: Array, hit: Array, bins: int, binning: str) -> Array:
    gaps = _per_bin(hit - confidence, _bin(confidence, bins, binning), bins)
    return np.abs(gaps).sum(axis=-1) / confidence.shape[-1]


def _exact_gap(predicted: Array, posterior: Array) -> float:
    _, group = np.unique(predicted, return_inverse=True)
    return float(np.abs(np.bincount(group, predicted - posterior)).sum() / len(predicted))
