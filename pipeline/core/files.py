"""Files of data: looked for in `data/`, then in the mirror (W2S_MIRROR, by default ../shared/data), always checked."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from pipeline.core.config import Block, Word
from pipeline.core.errors import InputError

SHIPPED = Path("data")
OWN = "own"  # folder below it for the files of a user's own, which git does not keep


def _sha256(text: str) -> str:
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise ValueError("give the 64 lower-case hexadecimal digits that `sha256sum` prints for the file")
    return text


Sha256 = Annotated[str, AfterValidator(_sha256)]


class File(Block):
    """A file in data/ or in the mirror."""

    path: Word
    sha256: Sha256


def found(owner: str, file: File, remedy: str = "") -> Path:
    """Place of a file.  Raises InputError that names both places tried, or a hash that differs.

    owner: whose file it is, for the message; remedy: what else could be done without it.
    """
    for path in (SHIPPED / file.path, mirror() / file.path):
        if path.exists():
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            if digest == file.sha256:
                return path
            if hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest() == file.sha256:
                raise InputError(
                    f"{path} ({owner}) has the line ends of Windows, put there by git; run `git config core.autocrlf "
                    f"false`, delete the file and {_restored(path)}"
                )
            raise InputError(
                f"{path} ({owner}) is truncated or altered; {_restored(path)}, or record the sha256 that it has now: "
                f"{digest}"
            )
    places = f"{SHIPPED / file.path} is missing ({owner}), and {mirror()} has no {file.path}"
    raise InputError(
        f"{places}; {_restored(SHIPPED / file.path)}, set W2S_MIRROR to a folder that holds it"
        + (f", or {remedy}" if remedy else "")
    )


def at_hand(file: File) -> bool:
    """Whether a file is in one of the places where it is looked for."""
    return any((home / file.path).exists() for home in (SHIPPED, mirror()))


def is_shipped(file: File) -> bool:
    """Whether a file belongs in data/: it came with the repository, or is a user's own."""
    return file.path in _listed() or Path(file.path).parts[0] == OWN


def mirror() -> Path:
    """The folder of data that are no part of this repository."""
    return Path(os.environ.get("W2S_MIRROR", "../shared/data"))


def named(block: Any) -> Iterator[File]:
    """Every `path` with a `sha256` anywhere in a block of settings."""
    if isinstance(block, Mapping):
        if {"path", "sha256"} <= set(block):
            yield File(path=block["path"], sha256=block["sha256"])
        for value in block.values():
            yield from named(value)


def _listed() -> list[str]:
    sums = SHIPPED / "SHA256SUMS"
    return sums.read_text(encoding="utf-8").split() if sums.exists() else []


def _restored(path: Path) -> str:
    if SHIPPED not in path.parents:
        return "restore it"
    if path.relative_to(SHIPPED).as_posix() in _listed():
        return f"restore it with `git checkout {path.as_posix()}`"
    return "put the file there that was recorded"
