"""The class of linear functions of some features and a constant: its best member, and what is beyond its reach."""

import numpy as np
from numpy.typing import NDArray

from .jackknife import Units

Array = NDArray[np.float64]


def projection(features: Array, target: Array) -> Array:
    """Least squares on the rows themselves: features (n, d), target (n,) -> the projection's values, (n,)."""
    design = _design(features)
    return design @ np.linalg.lstsq(design, target, rcond=None)[0]


def residuals_left_out(features: Array, target: Array, units: Units) -> Array:
    """Target less what the class says after a fit on all other units, (n,).

    Their mean square is on average a little above epsilon, by the noise of the fits; that of ordinary residuals lies
    below it.  Raises ValueError where the fit without some unit is not determined.
    """
    basis = _orthonormal(_design(features))
    residuals = target - basis @ (basis.T @ target)
    if units.alone:  # the same in one line: residual / (1 - leverage)
        kept = 1 - (basis**2).sum(axis=1)
        if (kept < 1e-9).any():
            raise ValueError(_alone(f"row {int(kept.argmin())}"))
        return residuals / kept
    left_out = np.empty_like(residuals)
    for unit in range(units.count):
        own = units.of_row == unit
        kept = np.eye(own.sum()) - basis[own] @ basis[own].T
        if np.linalg.eigvalsh(kept)[0] < 1e-9:
            raise ValueError(_alone(f"group {unit}"))
        left_out[own] = np.linalg.solve(kept, residuals[own])
    return left_out


def _alone(which: str) -> str:
    return f"features are such that {which} alone settles a direction; leave out columns that hardly any row has"


def _design(features: Array) -> Array:
    return np.column_stack([features, np.ones(len(features))])


def _orthonormal(design: Array) -> Array:
    left, sizes, _ = np.linalg.svd(design / np.maximum(np.linalg.norm(design, axis=0), 1e-300), full_matrices=False)
    return left[:, sizes > 1e-10 * sizes[0]]
