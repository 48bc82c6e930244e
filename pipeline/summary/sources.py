"""Whose claims are judged: sources.yaml, in the order in which sources are listed everywhere."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline.core import config
from pipeline.core.config import Block, Word
from pipeline.core.errors import InputError

SOURCES = Path("sources.yaml")
CLAIMS = Path("claims")


class Source(Block):
    """A paper; a ``main`` one is reproduced here, so the report begins with it."""

    label: Word
    title: Word
    link: Annotated[str, Field(pattern="^https://")]
    sentence: Word
    main: bool = False


def read(path: Path = SOURCES) -> dict[str, Source]:
    """Sources by key, as listed."""
    return {str(key): config.validate(Source, block, str(key), path) for key, block in config.read(path).items()}


def files() -> dict[str, Path]:
    """The file of each source's claims, as listed.  Raises InputError where a file is missing or has no source."""
    found = {key: CLAIMS / f"{key}.yaml" for key in read()}
    for path in sorted(CLAIMS.glob("*.yaml")):
        if path.stem not in found:
            raise InputError(
                f"{path} is of no source: {SOURCES} has {', '.join(found)}; add {path.stem} there, or rename the file"
            )
    for key, path in found.items():
        if not path.exists():
            raise InputError(f"{path} is missing; restore it with `git checkout {path}`, or drop {key} from {SOURCES}")
    return found
