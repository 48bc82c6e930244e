"""Kinds of values that several blocks of the settings hold."""

from typing import Annotated

from pydantic import Field

from pipeline.core.config import Block, Seed

Word = Annotated[str, Field(min_length=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1)]
Names = Annotated[tuple[Word, ...], Field(min_length=1)]


class File(Block):
    """A file in data/ or in the mirror."""

    path: Word
    sha256: Sha256
