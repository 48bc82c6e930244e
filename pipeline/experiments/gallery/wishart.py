"""Gram matrices of many Gaussian features without the features."""

import numpy as np

from pipeline.models.patches import gaussian_rows

Array = np.ndarray


def bartlett(stream: np.random.Generator, samples: int, features: int) -> Array:
    """Lower triangular L with L L' distributed as X X', X (samples, features) standard normal (Bartlett 1933).

    Raises ValueError where there are fewer features than samples: X X' is singular then.
    """
    if features < samples:
        raise ValueError(
            f"{features} features for {samples} samples: their Gram matrix is singular; use as many or more"
        )
    return gaussian_rows(stream, samples, features, np.float64)
