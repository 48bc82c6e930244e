"""Names of splits, and the parts that every split divides the images into."""

import numpy as np

from pipeline.core import streams

PARTS = ("teacher", "calibration", "student", "validation", "test")


def unit(split: int) -> str:
    """Name of a split's item in every bundle."""
    return f"split-{split}"


def stream(seed: int, split: int, name: str) -> np.random.Generator:
    """Random numbers of one purpose in one split."""
    return streams.generator(seed, f"digits/{split}/{name}")


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Labels as distributions, (n, classes) float64."""
    return np.eye(classes)[labels]
