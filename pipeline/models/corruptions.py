"""Corruptions of images at five severities, after the idea of ImageNet-C (Hendrycks and Dietterich 2019).

Images are (n, h, w) or (n, h, w, channels) in [0, 1], of any size: lengths are shares of the shorter side.  The
constants are ours, so that a severity is no number of ImageNet-C.
"""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

Array = np.ndarray
CLEAN, SEVERITIES = "clean", 5


def noise(images: Array, severity: int, stream: np.random.Generator) -> Array:
    """Gaussian noise, clipped."""
    deviation = (0.1, 0.2, 0.3, 0.45, 0.6)[severity - 1]
    return np.asarray(np.clip(images + deviation * stream.standard_normal(images.shape), 0, 1))


def blur(images: Array, severity: int, stream: np.random.Generator) -> Array:
    """Gaussian blur."""
    width = (0.06, 0.09, 0.12, 0.16, 0.2)[severity - 1] * min(images.shape[1:3])
    return np.asarray(gaussian_filter(images, (0, width, width, 0)[: images.ndim], mode="nearest"))


def contrast(images: Array, severity: int, stream: np.random.Generator) -> Array:
    """Every pixel drawn towards the mean of its image."""
    kept = (0.6, 0.45, 0.3, 0.2, 0.1)[severity - 1]
    mean = images.mean(axis=tuple(range(1, images.ndim)), keepdims=True)
    return np.asarray(mean + kept * (images - mean))


def pixelation(images: Array, severity: int, stream: np.random.Generator) -> Array:
    """Means of blocks, so that a share of the side's pixels is left."""
    share = (0.75, 0.625, 0.5, 0.375, 0.25)[severity - 1]
    rows, columns = (_blocks(side, max(1, round(share * side))) for side in images.shape[1:3])
    return np.asarray(np.einsum("ab,nb...->na...", rows, np.einsum("ab,nhb...->nha...", columns, images)))


CORRUPTIONS: dict[str, Callable[[Array, int, np.random.Generator], Array]] = {
    function.__name__: function for function in (noise, blur, contrast, pixelation)
}


def parsed(name: str) -> tuple[str, int]:
    """Corruption and severity of a name such as `noise-3`; of `clean` the severity 0.

    Raises ValueError that names a corruption or a severity that does not exist.
    """
    if name == CLEAN:
        return CLEAN, 0
    kind, _, severity = name.rpartition("-")
    if kind not in CORRUPTIONS:
        known = ", ".join(CORRUPTIONS)
        raise ValueError(f"'{name}' names no corruption; take {CLEAN}, or one of {known} with its severity: noise-3")
    if severity not in {str(number + 1) for number in range(SEVERITIES)}:
        raise ValueError(f"'{name}' has the severity {severity}; severities are 1 to {SEVERITIES}")
    return kind, int(severity)


def corrupted(images: Array, name: str, stream: np.random.Generator) -> Array:
    """Images under a named corruption and severity."""
    if images.ndim not in (3, 4):
        raise ValueError(f"images of shape {images.shape}; they are (n, h, w) or (n, h, w, channels)")
    kind, severity = parsed(name)
    return images if kind == CLEAN else CORRUPTIONS[kind](images, severity, stream)


def _blocks(side: int, left: int) -> Array:
    """(side, side): a pixel's row averages the pixels of its block."""
    block = np.arange(side) * left // side
    same = block[:, None] == block[None]
    return np.asarray(same / same.sum(1, keepdims=True))
