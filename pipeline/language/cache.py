"""Features kept shard by shard, so that a killed run loses at most one shard and no text is read twice.

A shard's name is a hash of all that can change its numbers: model, precision, read-outs, texts, the reading code.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from pipeline.core import artifacts, kept
from pipeline.language import reading
from pipeline.language.loading import Loaded
from pipeline.language.reading import ReadOut

SHARD = 500  # texts


class Order(NamedTuple):
    """What is to be read: texts, by which network and how."""

    identity: str  # of the model: its sha256, or name and revision
    precision: str
    read_outs: tuple[ReadOut, ...]
    max_tokens: int
    texts: tuple[str, ...]


def features(order: Order, load: Callable[[], Loaded], home: Path) -> dict[str, np.ndarray]:
    """`<layer>.<pooling>` -> (texts, hidden) float32, and `lengths` -> tokens before truncation, (texts,).

    The network is loaded only when a shard is missing.  Raises InputError that names a corrupted shard.
    """
    starts = range(0, len(order.texts), SHARD)
    shards = [order._replace(texts=order.texts[start : start + SHARD]) for start in starts]
    missing = [shard for shard in shards if not path(shard, home).exists()]
    if missing:
        loaded = load()
        for shard in tqdm(missing, desc="features", disable=None, leave=False):
            kept.write(path(shard, home), _read(loaded, shard))
    parts = [kept.read(path(shard, home)) for shard in shards]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def path(shard: Order, home: Path) -> Path:
    """File of a shard."""
    digest = hashlib.sha256(Path(reading.__file__).read_bytes())
    digest.update(json.dumps(shard).encode())
    return home / f"{digest.hexdigest()[:32]}.safetensors"


def _read(loaded: Loaded, shard: Order) -> artifacts.Arrays:
    read = reading.read(loaded, shard.texts, shard.read_outs, shard.max_tokens)
    names = [f"{layer}.{pooling}" for layer, pooling in shard.read_outs]
    return {**dict(zip(names, read, strict=True)), "lengths": reading.lengths(loaded, shard.texts)}
