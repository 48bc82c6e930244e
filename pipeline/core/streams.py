"""Named random streams: every draw comes from (seed, name), so none moves when another is added."""

import hashlib

import numpy as np


def generator(seed: int, name: str) -> np.random.Generator:
    """Independent generator for one purpose, e.g. ``generator(3, "synthetic/task-heads")``."""
    words = np.frombuffer(hashlib.sha256(name.encode()).digest()[:16], dtype="<u4")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words.tolist()])))


def orders(stream: np.random.Generator, epochs: int, samples: int) -> np.ndarray:
    """Order in which each epoch visits the samples: shape (epochs, samples), int32, one permutation a row."""
    rows = np.tile(np.arange(samples, dtype=np.int32), (epochs, 1))
    return stream.permuted(rows, axis=1)
