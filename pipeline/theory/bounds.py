"""Explicit forms of the bounds of Charikar et al. 2024 ("A"), with their constants."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def gain_lower_bound(misfit: ArrayLike, epsilon: ArrayLike) -> Array:
    """gain >= misfit - 2 sqrt(epsilon * misfit): A's Theorem 2 at the population optimum, constant explicit.

    Holds for the projection of the teacher on a convex class; epsilon is the error of the class's best member.
    Both arguments in squared label units, any common shape.  Raises ValueError on a negative value.
    """
    misfit, epsilon = _non_negative(misfit=misfit, epsilon=epsilon)
    return misfit - 2 * np.sqrt(epsilon * misfit)


def gain_over_misfit(rho: ArrayLike, epsilon: ArrayLike, misfit: ArrayLike) -> Array:
    """gain / misfit = 1 - 2 rho sqrt(epsilon / misfit) for projections on a linear class; rho = 1 gives the bound."""
    misfit, epsilon = _non_negative(misfit=misfit, epsilon=epsilon)
    return 1 - 2 * np.asarray(rho, float) * np.sqrt(epsilon / misfit)


def tightness(gain: ArrayLike, misfit: ArrayLike, epsilon: ArrayLike) -> Array:
    """Share of the bound's allowance that is used, (misfit - gain) / (2 sqrt(epsilon * misfit)); 1 where it is met.

    Equals rho when epsilon is the class minimum.  NaN where the allowance is zero.
    """
    misfit, epsilon = _non_negative(misfit=misfit, epsilon=epsilon)
    allowance = 2 * np.sqrt(epsilon * misfit)
    shortfall = misfit - np.asarray(gain, float)
    return np.divide(shortfall, allowance, out=np.full(np.shape(allowance), np.nan), where=allowance > 0)


def _non_negative(**values: ArrayLike) -> tuple[Array, ...]:
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    for name, array in arrays.items():
        if (array < 0).any():
            raise ValueError(f"{name} is {array.min():g}; a mean square cannot be negative")
    return tuple(arrays.values())
