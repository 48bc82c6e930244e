"""Ridge regression of many label sets on one feature matrix, the penalty by generalized cross-validation.

All features share one scale, so that a feature that hardly varies on the fitted rows gets no large weight.  The
penalty is a continuous number: a choice among a few would jump when rounding moves the features in their last digits.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar

Array = np.ndarray

# Penalties searched, in units of the mean eigenvalue of the features' covariance.  Below the least, rounding of float32
# features would show in predictions; at the greatest, labels are predicted by their mean.
LEAST, GREATEST = 1e-6, 1e6
# Each degree of freedom counts as 1.2 in the criterion (Kim and Gu 2004: 1.2 to 1.4).  Plain GCV takes rows for
# independent; molecules come in families, and it then fits them too closely.
INFLATION = 1.2
# Most of the sample that a fit may use up (its mean leverage); at 1 / INFLATION the criterion is infinite.  So no fit
# comes near repeating its labels, where GCV is a ratio of two numbers near 0 that can be small by chance.
MOST_LEVERAGE = 0.8
GRID = 61  # starting points of the search, about two to a factor of e
NEGLIGIBLE = 1e-12  # eigenvalues so far below the least penalty move no prediction


class Fitted(NamedTuple):
    """Heads (tasks, width + 1), bias last, for raw features; penalties and degrees of freedom, both (tasks,).

    penalty: of the mean square of the weights, features scaled.  freedom: trace of the hat matrix, the bias counted.
    """

    heads: Array
    penalties: Array
    freedom: Array


class Problem(NamedTuple):
    """The sample in the coordinates of its eigenvectors; k of the eigenvalues are not zero.

    values: (k,) of the covariance, mean 1 over the width.  moments: (tasks, k), labels along each left eigenvector.
    outside: (tasks,), square of the labels that no head reaches.  leverages: (k,), mean leverage of each eigenvector
    where it is not shrunk; bias: that of the bias.  samples: n.
    """

    values: Array
    moments: Array
    outside: Array
    leverages: Array
    bias: float
    samples: int


def fit(features: Array, labels: Array, *, weights: Array | None = None) -> Fitted:
    """Ridge regression with a free bias of labels (tasks, n) on features (n, width); float64, one eigendecomposition.

    Each task's penalty minimizes GCV (Golub, Heath, Wahba 1979) with inflated leverage (Kim and Gu 2004): mean squared
    residual / (1 - INFLATION * mean leverage)^2.
    weights: of the rows (n,), none negative; then residuals and leverages are both averaged with these weights, which
    estimates the error on the population that the weights stand for.  Raises ValueError on shapes that do not belong
    together or a value that is not finite.
    """
    features, labels, weights = _checked(features, labels, weights)
    samples, roots = len(features), np.sqrt(weights)
    centre, means = weights @ features / samples, labels @ weights / samples
    scale = float(np.sqrt(np.mean(weights @ (features - centre) ** 2 / samples))) or 1.0
    rows, targets = roots[:, None] * (features - centre) / scale, roots * (labels - means[:, None])
    values, left, right = _eigen(rows)
    moments = targets @ left
    problem = Problem(
        values,
        moments,
        np.sum((targets - moments @ left.T) ** 2, axis=1),
        weights @ left**2 / samples,
        float(weights @ weights) / samples**2,
        samples,
    )
    penalties = _penalties(problem)
    shrunk = values / (values + penalties[:, None])
    slopes = (moments * shrunk / np.sqrt(samples * values)) @ right.T / scale
    heads = np.column_stack([slopes, means - slopes @ centre])
    return Fitted(heads, penalties, 1 + shrunk.sum(axis=1))


def predict(features: Array, heads: Array) -> Array:
    """Predictions of heads (..., width + 1) on features (n, width): (..., n), float64."""
    return heads[..., :-1] @ features.astype(np.float64).T + heads[..., -1:]


def criterion(problem: Problem, penalties: Array) -> Array:
    """Modified GCV of each task at each penalty, (tasks, penalties)."""
    kept = penalties / (problem.values[:, None] + penalties)  # what shrinkage leaves in the residual, (k, penalties)
    residuals = (problem.outside[:, None] + problem.moments**2 @ kept**2) / problem.samples
    return residuals / (1 - INFLATION * leverage(problem, penalties)) ** 2


def leverage(problem: Problem, penalties: Array) -> Array:
    """Mean leverage of the rows at each penalty, the share of the sample that the fit uses up."""
    return problem.bias + problem.leverages @ (problem.values[:, None] / (problem.values[:, None] + penalties))


def _penalties(problem: Problem) -> Array:
    """The penalty of least GCV, tasks apart: every dip of a grid is followed to its bottom, the lowest is taken."""
    # From the greatest down, so that labels that are all the same, whose GCV is 0 throughout, get the greatest.
    grid = np.linspace(np.log(GREATEST), _least(problem), GRID)
    found = np.empty(len(problem.moments))
    for task, heights in enumerate(criterion(problem, np.exp(grid))):
        own = problem._replace(moments=problem.moments[[task]], outside=problem.outside[[task]])

        def height(logarithm: float, own: Problem = own) -> float:
            return float(criterion(own, np.exp([logarithm]))[0, 0])

        padded = np.concatenate([[np.inf], heights, [np.inf]])
        dips = np.flatnonzero((padded[1:-1] < padded[:-2]) & (padded[1:-1] <= padded[2:]))
        places: list[float] = []
        for dip in dips.tolist():
            bounds = float(grid[min(dip + 1, GRID - 1)]), float(grid[max(dip - 1, 0)])
            bottom = minimize_scalar(height, bounds=bounds, method="bounded", options={"xatol": 1e-9}).x
            places += [float(grid[dip]), float(bottom)]
        found[task] = min(places, key=height)
    return np.exp(found)


def _least(problem: Problem) -> float:
    """Logarithm of the least penalty at which the fit uses up no more than MOST_LEVERAGE of the sample."""

    def excess(logarithm: float) -> float:
        return float(leverage(problem, np.exp([logarithm]))[0]) - MOST_LEVERAGE

    low, high = np.log(LEAST), np.log(GREATEST)
    if excess(low) <= 0:
        return float(low)
    if excess(high) >= 0:
        raise ValueError(f"{problem.samples} rows with these weights are too few for a fit: one has nearly all weight")
    return float(brentq(excess, low, high, xtol=1e-12))


def _eigen(rows: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues of rows' covariance (k,), left vectors (n, k) and right ones (width, k)."""
    samples, width = rows.shape
    values, vectors = np.linalg.eigh((rows.T @ rows if samples > width else rows @ rows.T) / samples)
    values, vectors = values[values > NEGLIGIBLE], vectors[:, values > NEGLIGIBLE]
    others = (rows @ vectors if samples > width else rows.T @ vectors) / np.sqrt(samples * values)
    return (values, others, vectors) if samples > width else (values, vectors, others)


def _checked(features: Array, labels: Array, weights: Array | None) -> tuple[Array, Array, Array]:
    features, labels = np.asarray(features, np.float64), np.asarray(labels, np.float64)
    if features.ndim != 2 or labels.ndim != 2 or labels.shape[1] != len(features):
        raise ValueError(f"features {features.shape} and labels {labels.shape} do not belong together")
    if len(features) < 2:
        raise ValueError(f"{len(features)} rows are too few for a fit; two are the least")
    weights = np.ones(len(features)) if weights is None else np.asarray(weights, np.float64)
    if weights.shape != (len(features),) or not weights.sum() > 0 or (weights < 0).any():
        raise ValueError(f"weights {weights.shape} must be {(len(features),)}, none negative, not all zero")
    if not all(np.isfinite(array).all() for array in (features, labels, weights)):
        raise ValueError("features, labels or weights hold a value that is not finite")
    return features, labels, weights / weights.mean()
