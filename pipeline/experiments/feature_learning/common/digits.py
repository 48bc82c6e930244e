"""Digits in the place of signals: images vary and are not orthogonal, so nothing of the theorems is assumed here."""

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.datasets import load_digits

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.experiments.feature_learning.common.points import EASY, HARD, PIXELS, Net, silenced, stream
from pipeline.experiments.feature_learning.settings import Digits
from pipeline.models.patches import Patches

Array = np.ndarray
PARTS = ("teacher", "student", "validation", "test")  # each has its own quarter of the images of a digit


def images(settings: Digits) -> Array:
    """Digits less their mean image, each of length ``norm``, (1797, 64).

    Hard digits are rid of their part along the mean easy ones, then easy digits of theirs along the mean hard ones: a
    hard patch that looks like an easy one would tell its label without any bridge.
    """
    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels - pixels.mean(axis=0)
    for pair, others in ((settings.hard, settings.easy), (settings.easy, settings.hard)):
        means = np.stack([pixels[labels == digit].mean(axis=0) for digit in others])
        own, (basis, _) = np.isin(labels, pair), np.linalg.qr(means.T)
        pixels[own] -= pixels[own] @ basis @ basis.T
    return (settings.norm * pixels / np.linalg.norm(pixels, axis=1, keepdims=True)).astype(np.float32)


def drawn(generator: np.random.Generator, kinds: Array, settings: Digits, seed: int, part: str) -> Arrays:
    """Examples of given types (n,): label, sign of the hard patch, and the image in either patch (2, n)."""
    label, flip = (generator.choice(np.array([-1, 1], np.int8), len(kinds)) for _ in range(2))
    image = np.zeros((2, len(kinds)), np.int16)
    for slot, pair in enumerate((settings.easy, settings.hard)):
        for sign, digit in zip((1, -1), pair, strict=True):
            own = label == sign
            image[slot, own] = generator.choice(of_part(digit, seed, part), int(own.sum()))
    return {"kind": kinds.astype(np.int8), "label": label, "flip": flip, "image": image}


def of_part(digit: int, seed: int, part: str) -> Array:
    """Rows of one digit that belong to a part, so that no image is in two of them."""
    _, labels = load_digits(return_X_y=True)
    rows = streams.generator(seed, f"feature_learning/digits/{digit}").permutation(np.flatnonzero(labels == digit))
    return np.array_split(rows, len(PARTS))[PARTS.index(part)]


def patches(nets: Sequence[Net], examples: Mapping[str, Array], pixels: Array, part: str) -> list[Patches]:
    """Easy patch, hard patch and two of noise of each example, (nets, 4, n, 64)."""
    kind, shown = examples["kind"], pixels[examples["image"]]
    shown[:, 0] *= (kind != HARD)[..., None]
    shown[:, 1] *= ((kind != EASY) * examples["flip"])[..., None]
    noise = [
        silenced(stream(point, seed, f"{part}/noise").standard_normal((2, len(own), PIXELS), dtype=np.float32), own)
        for (point, seed), own in zip(nets, kind, strict=True)
    ]
    return [Patches(np.concatenate([shown, np.stack(noise)], axis=1), 0)]
