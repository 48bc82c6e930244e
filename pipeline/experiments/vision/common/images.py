"""Where images come from: a zip archive in data/ or in the mirror, or the hub at its pinned revision.

Whatever is no square of the expected side in RGB ends the run: nothing is cut, enlarged or recoloured.
"""

import io
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from pipeline.core import artifacts, files
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.experiments.vision.settings import Archive, Hub, Photographs

CACHE = artifacts.ARTIFACTS / "datasets"
LIST = "data.classes in {where}"


def read(data: Photographs) -> Arrays:
    """The first images of each class: `pixels` (n, side, side, 3) uint8, `labels` (n,) int64, class after class."""
    source = data.source
    found = _of_hub(source, data) if isinstance(source, Hub) else _of_archive(source, data)
    pixels, labels = [], []
    for label, (name, own) in enumerate(zip(data.classes, found, strict=True)):
        taken = list(islice(own, data.per_class))
        if not taken:
            raise InputError(f"{_place(data)}: there is no image of class '{name}'; add some, or correct {LIST}")
        if len(taken) < data.per_class:
            raise InputError(
                f"{_place(data)}: class '{name}' has {len(taken)} images, fewer than the {data.per_class} asked for; "
                "lower data.per_class in {where}"
            )
        pixels += taken
        labels += [label] * len(taken)
    return {"pixels": np.stack(pixels), "labels": np.array(labels)}


def checked(image: Image.Image, place: str, side: int) -> np.ndarray:
    """Pixels of an image, (side, side, 3).  Raises InputError that names an image of another size or mode."""
    if image.size != (side, side):
        wide, high = image.size
        raise InputError(
            f"{place} has {wide} x {high} pixels, not {side} x {side}; take it out, or give data.side in {{where}}"
        )
    if image.mode != "RGB":
        raise InputError(f"{place} has the mode {image.mode}, not RGB; convert it (PIL: image.convert('RGB'))")
    try:
        return np.asarray(image)
    except (OSError, SyntaxError) as error:
        raise InputError(f"{place} cannot be read ({error}); restore it, or take it out") from None


def _of_archive(source: Archive, data: Photographs) -> list[Iterator[np.ndarray]]:
    path = files.found("images", source, "name a set of the hub as data.source of {where}")
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise InputError(f"{path} is no zip archive ({error}); restore it") from None
    members = sorted(name for name in archive.namelist() if not name.endswith("/"))
    return [
        _opened(archive, [name for name in members if PurePosixPath(name).parts[:-1] == (source.split, one)], data.side)
        for one in data.classes
    ]


def _opened(archive: zipfile.ZipFile, members: list[str], side: int) -> Iterator[np.ndarray]:
    for name in members:
        place = f"{archive.filename}: {name}"
        try:
            content = archive.read(name)
        except (zipfile.BadZipFile, OSError) as error:
            raise InputError(f"{place} cannot be unpacked ({error}); restore the archive") from None
        yield checked(_image(content, place), place, side)


def _image(content: bytes, place: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content))
    except (OSError, SyntaxError):
        raise InputError(f"{place} is no image that can be read; restore it, or take it out") from None


def _of_hub(source: Hub, data: Photographs) -> list[Iterator[np.ndarray]]:
    rows = _table(source)
    for role in ("image", "label"):
        column = getattr(source, role)
        if column not in rows.column_names:
            held = ", ".join(rows.column_names)
            raise InputError(f"{_place(data)}: there is no column '{column}', only {held}; correct data.source.{role}")
    labels = np.array(rows[source.label])
    beyond = sorted(set(labels.tolist()) - set(range(len(data.classes))))
    if beyond:
        raise InputError(f"{_place(data)}: label {beyond[0]} has no name among the {len(data.classes)} of {LIST}")
    return [_rows(rows, np.flatnonzero(labels == label), source, data) for label in range(len(data.classes))]


def _rows(rows: Any, chosen: np.ndarray, source: Hub, data: Photographs) -> Iterator[np.ndarray]:
    for row in chosen.tolist():
        yield checked(rows[row][source.image], f"{_place(data)}, row {row}", data.side)


def _table(source: Hub) -> Any:
    import datasets  # slow, and only needed here

    datasets.disable_progress_bars()
    try:
        return datasets.load_dataset(source.name, split=source.split, revision=source.revision, cache_dir=str(CACHE))
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{source.name}@{source.revision} cannot be loaded ({reason}); connect to the hub once, or name an archive "
            "as data.source of {where}"
        ) from None


def _place(data: Photographs) -> str:
    source = data.source
    return f"{source.name}, {source.split}" if isinstance(source, Hub) else f"{source.path}, {source.split}"
