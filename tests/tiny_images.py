"""Small coloured squares in a zip archive, as CIFAR-10 lies in the mirror, and the study `vision` shrunk to them."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Tiny

CLASSES = ("blue", "green", "red")
SIDE, PER_CLASS = 8, 70
BLOCK = {"batch_size": 8, "learning_rate": 0.001, "weight_decay": 0.0}


def image(colour: int, stream: np.random.Generator) -> Image.Image:
    """A square of noise with more of one colour (of the classes, in their order)."""
    pixels = stream.integers(0, 200, (SIDE, SIDE, 3))
    pixels[..., 2 - colour] += stream.integers(0, 56)
    return Image.fromarray(pixels.astype(np.uint8))


def packed(picture: Image.Image) -> bytes:
    """Bytes of a PNG."""
    content = io.BytesIO()
    picture.save(content, "png")
    return content.getvalue()


def members(per_class: int = PER_CLASS) -> dict[str, bytes]:
    """Files of the archive by name."""
    stream = np.random.default_rng(0)
    return {
        f"train/{name}/{number:04}.png": packed(image(colour, stream))
        for colour, name in enumerate(CLASSES)
        for number in range(per_class)
    }


def archive(path: Path, content: dict[str, bytes]) -> dict[str, str]:
    """Write the archive; returns its entry in the settings, its path relative to data/."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as made:
        for name, each in content.items():
            made.writestr(name, each)
    return {"path": path.name, "split": "train", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def tiny_vision(block: dict[str, Any], source: dict[str, str]) -> None:
    """Shrink the study's block to sizes that run in seconds, on a network with random weights."""
    sizes = {"per_class": PER_CLASS, "teacher": 48, "student": 32, "calibration": 20, "floor": 0.01}
    block["data"].update(source=source, classes=list(CLASSES), side=SIDE, seeds=[0, 1], **sizes)
    block["represent"].update(
        networks={"random": {"size": "lite0", "seed": 0}, "other": {"size": "lite0", "seed": 1}},
        rungs={
            "first": {"network": "random", "side": 32, "features": 1280},
            "second": {"network": "other", "side": 32, "features": 20},
            "block": {"network": "other", "side": 32, "features": 1280, "block": {"epochs": [1, 2], **BLOCK}},
        },
    )
    fit = {"epochs": 3, "batch_size": 8, "learning_rate": 0.02, "weight_decay": 0.0}
    block["weak"].update(labels=[24, 48], channels=[4, 6], fit=fit, head=fit)
    block["strong"].update(weak_labels=[16, 32], epochs=[1, 2], batch_size=8)
    block["evaluate"].update(bins=4, resamples=100)


def tiny_study(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Work in an empty folder with tiny images; the function returned writes the settings, changed at will."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("W2S_WORKERS", "1")
    monkeypatch.setenv("W2S_MIRROR", str(home / "mirror"))
    params = Tiny()
    tiny_vision(params["vision"], archive(home / "data" / "images.zip", members()))

    def write(change: Callable[[dict[str, Any]], None] = lambda block: None) -> None:
        change(params["vision"])
        params.write(home)

    write()
    return write
