"""Corpora of a few thousand words and a pretraining block that runs on them in seconds."""

import hashlib
import lzma
from pathlib import Path
from typing import Any

import numpy as np

from tests.tiny_language import WORDS

SHAPES = {
    "small": {"layers": 1, "hidden": 16, "heads": 2, "intermediate": 32, "learning_rate": 0.01},
    "large": {"layers": 2, "hidden": 32, "heads": 2, "intermediate": 64, "learning_rate": 0.01},
}


def documents(name: str, count: int = 60) -> list[str]:
    """Documents that share words but no line, and say which corpus and document they are."""
    stream = np.random.default_rng(len(name))
    return [f"{name} {place}: " + " ".join(stream.choice(WORDS, stream.integers(15, 40))) for place in range(count)]


def write_corpus(folder: Path, name: str, texts: list[str] | None = None) -> dict[str, Any]:
    """Corpus file under xz; returns its entry of params.yaml, the path relative to data/."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.txt.xz"
    path.write_bytes(lzma.compress("\n<|endoftext|>\n".join(texts or documents(name)).encode()))
    return {"path": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def tiny_pretraining(block: dict[str, Any], data: Path) -> None:
    """Shrink the block `pretrain` of a study to two networks and two corpora in ``data``."""
    shares = {"talk": 0.75, "tales": 0.25}
    block.update(
        corpora={name: {**write_corpus(data, name), "share": share} for name, share in shares.items()},
        vocabulary=280,
        context=16,
        tokens=1536,
        held_out=64,
        batch_tokens=128,
        models={name: dict(shape) for name, shape in SHAPES.items()},
    )
