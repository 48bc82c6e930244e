"""Norm-bounded least squares for many labels and radii at once: a convex class, so the theorem applies.

The class: heads on scaled features whose weights have a norm of at most the radius; the bias is free.  All features
share one scale.  Each its own would blow up those of MiniMol and Morgan that hardly vary on the fitted molecules: one
other molecule then lies thousands of deviations away, and the error on validation is higher on all three data sets.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

Array = np.ndarray


class Fitted(NamedTuple):
    """Best heads of the class, (tasks, radii, width + 1), bias last, for raw features; and the freedom each one used.

    freedom: effective degrees of freedom, the trace of the ridge smoother that gives the same head, (tasks, radii).
    """

    heads: Array
    freedom: Array


def fit(features: Array, labels: Array, radii: Array, *, scaled_on: Array | None = None) -> Fitted:
    """Least squares of labels (tasks, n) on features (n, width) for every radius (radii,), in units of the labels.

    scaled_on: the features whose scale defines the class; by default `features`.  One eigendecomposition serves every
    task and radius; float64.
    """
    features, labels = features.astype(np.float64), labels.astype(np.float64)
    scale = common_scale(features if scaled_on is None else scaled_on)
    centre, mean = features.mean(axis=0), labels.mean(axis=1)
    scaled = (features - centre) / scale
    values, vectors = np.linalg.eigh(scaled.T @ scaled / len(features))
    large = values > values.size * np.finfo(float).eps * values.max()
    values, vectors = values[large], vectors[:, large]
    moments = (labels - mean[:, None]) @ scaled @ vectors / len(features)
    penalties = np.array([[penalty(values, moment, radius) for radius in radii] for moment in moments])[..., None]
    weights = (moments[:, None] / (values + penalties)) @ vectors.T / scale
    bias = mean[:, None] - weights @ centre
    return Fitted(np.concatenate([weights, bias[..., None]], axis=-1), (values / (values + penalties)).sum(axis=-1))


def common_scale(features: Array) -> float:
    """Root mean square deviation of the features (n, width) from their means; 1 where they do not vary."""
    return float(np.sqrt(features.astype(np.float64).var(axis=0).mean())) or 1.0


def penalty(values: Array, moments: Array, radius: float) -> float:
    """The ridge penalty whose solution moments / (values + penalty) has the norm radius; 0 when it needs none."""

    def excess(candidate: float) -> float:
        return 1 / radius - 1 / float(np.linalg.norm(moments / (values + candidate)))

    if np.linalg.norm(moments / values) <= radius:
        return 0.0
    highest = 2 * np.linalg.norm(moments) / radius
    return brentq(excess, 0.0, highest, xtol=1e-13 * highest)
