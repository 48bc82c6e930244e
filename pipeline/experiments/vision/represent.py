"""Read every image once by every strong network.

Items: `<rung>` -> `features` (n, width) float32 in the order of the images, each feature of mean 0 and deviation 1 over
all images (no label is looked at; a feature that never varies is 0).  Where students train the last block: `maps`
(n, channels, h, w) float16, what the block reads.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core import artifacts
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.vision.settings import Pretrained, Rung, Settings, Untrained
from pipeline.language import packaged
from pipeline.models.vision import reading

HOME = artifacts.ARTIFACTS / "features"
PIECE = 300  # images of a unit: a killed run loses at most one a worker


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Features by rung; a unit is a piece of the images, read by one network."""
    represent, count = settings.represent, settings.data.images
    named = {rung.network for rung in represent.rungs.values()}
    files = {name: weights(f"networks.{name}", represent.networks[name]) for name in named}
    starts, units = range(0, count, PIECE), {}
    for name, rung in represent.rungs.items():
        size, file = represent.networks[rung.network].size, files[rung.network]
        for start in starts:
            rows = slice(start, start + PIECE)
            units[f"{name}--{start}"] = (rows, upstream["data"], rung.side, size, file, HOME.resolve(), wanted(rung))
    read = pool.map(piece, units)
    found: dict[str, Arrays] = {}
    for name, rung in represent.rungs.items():
        whole = np.concatenate([read[f"{name}--{start}"][wanted(rung)] for start in starts])
        found[name] = {wanted(rung): whole if rung.block else standardised(whole[:, : rung.features])}
    return found


def wanted(rung: Rung) -> reading.Wanted:
    """What is read for the students of a rung."""
    return "maps" if rung.block else "features"


def piece(rows: slice, data: Mapping[str, Any], *options: Any) -> Arrays:
    """Features of some images of the study; options as ``features_of`` has them."""
    return features_of(data["images"]["pixels"][rows], *options)


def features_of(
    pixels: np.ndarray, side: int, size: str, weights: Path | int, home: Path, wanted: reading.Wanted = "features"
) -> Arrays:
    """Features of images (n, side, side, 3).  Raises InputError where the weights are not those of the network."""
    try:
        return {wanted: reading.read(pixels, side, size, weights, home, wanted)}
    except RuntimeError as error:
        if "state_dict" not in str(error):
            raise
        raise InputError(
            f"{weights} holds other parameters than an EfficientNet-Lite of the size {size}; correct "
            "the network's size under represent of {where}"
        ) from None


def standardised(features: np.ndarray) -> np.ndarray:
    """Each column of mean 0 and deviation 1; one that does not vary becomes 0."""
    centred = features - features.mean(axis=0, dtype=np.float64)
    scale = centred.std(axis=0)
    varies = scale > 1e-6 * np.abs(features).max(axis=0)
    return np.divide(centred, scale, out=np.zeros_like(centred), where=varies).astype(np.float32)


def weights(name: str, network: Pretrained | Untrained) -> Path | int:
    """File of the weights, or the seed of random ones; the name is the network's key under `represent`."""
    if not isinstance(network, Pretrained):
        return network.seed
    try:
        return packaged.model(network.package, network.member, network.sha256)
    except InputError as error:
        own = str(error).replace("preferences.represent.models", f"represent.{name} in {{where}}")
        raise InputError(own) from None
