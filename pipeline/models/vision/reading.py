"""What a frozen EfficientNet-Lite makes of images, each piece of images read once and kept.  One thread."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image

from pipeline.core import kept
from pipeline.models.vision import efficientnet

BATCH = 25  # images whose states stay near the processor
Wanted = Literal["features", "maps"]


def read(
    pixels: np.ndarray, side: int, size: str, weights: Path | int, home: Path, wanted: Wanted = "features"
) -> np.ndarray:
    """The same as `represent`, kept in a folder by a hash of images, side, weights and code."""
    identity = f"random-{weights}" if isinstance(weights, int) else _digest(weights.read_bytes())
    code = _digest(Path(efficientnet.__file__).read_bytes())
    recipe = [__file__, code, size, identity, str(side), wanted, _digest(np.ascontiguousarray(pixels).tobytes())]
    return kept.once(home, recipe, lambda: {wanted: represent(pixels, side, network(size, weights), wanted)})[wanted]


@lru_cache(maxsize=1)
def network(size: str, weights: Path | int) -> efficientnet.EfficientNetLite:
    """The network with the weights of a file, or with random ones of a seed.

    Raises RuntimeError where the file's names or shapes are not those of this size.
    """
    if isinstance(weights, int):
        found = efficientnet.untrained(size, weights)
    else:
        found = efficientnet.loaded(size, torch.load(weights, weights_only=True))
    # Channels last, as the images come: half the time on a processor.
    return found.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def represent(
    pixels: np.ndarray, side: int, network: efficientnet.EfficientNetLite, wanted: Wanted = "features"
) -> np.ndarray:
    """Images (n, h, w, 3) of bytes, made side x side by bicubic interpolation, as the network sees them.

    `features` (n, 1280) float32, or `maps` (n, channels, h', w') float16, what its last block reads.
    """
    found = []
    for start in range(0, len(pixels), BATCH):
        few = pixels[start : start + BATCH]
        large = np.stack(
            [np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC)) for one in few]
        )
        images = torch.from_numpy(large).permute(0, 3, 1, 2).float()
        with torch.inference_mode():
            found.append(getattr(network, wanted)(efficientnet.scaled(images)).numpy())
    return np.concatenate(found).astype(np.float16 if wanted == "maps" else np.float32)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
