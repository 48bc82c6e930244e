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

from pipeline.core import artifacts
from pipeline.core.errors import InputError
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
            _write(path(shard, home), _read(loaded, shard))
    parts = [_checked(path(shard, home)) for shard in shards]
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


def _write(file: Path, arrays: artifacts.Arrays) -> None:
    # The features come last: a shard without its hash is read again, not trusted.
    scratch = file.with_suffix(".new")
    artifacts.write_arrays(scratch, arrays)
    artifacts.write_bytes(file.with_suffix(".sha256"), artifacts.sha256(scratch).encode())
    scratch.rename(file)


def _checked(file: Path) -> artifacts.Arrays:
    recorded = file.with_suffix(".sha256")
    if not recorded.exists() or artifacts.sha256(file) != recorded.read_text():
        raise InputError(f"{file}: this shard of cached features is corrupted; delete it and run the stage again")
    return artifacts.read_item(file)
