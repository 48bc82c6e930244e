"""Weak labels made worse on purpose: noise, and over-confidence."""

import numpy as np

from pipeline.theory.divergence import floored

Array = np.ndarray


def noisy(labels: Array, rate: float, generator: np.random.Generator) -> Array:
    """A share `rate` of the rows (..., n, k) has its classes turned round by a random amount, so that its top moves."""
    classes = labels.shape[-1]
    turned = generator.random(labels.shape[:-1]) < rate
    shift = np.where(turned, generator.integers(1, classes, labels.shape[:-1]), 0)
    places = (np.arange(classes) + shift[..., None]) % classes
    return np.take_along_axis(labels, places, axis=-1)


def sharpened(labels: Array, power: float, floor: float) -> Array:
    """Probabilities to the given power and floored again: above 1 a teacher is more confident than it was."""
    raised = labels.astype(np.float64) ** power
    return labels if power == 1 else floored(raised / raised.sum(axis=-1, keepdims=True), floor)
