"""Arrays that took long to make, kept in files named by a hash of what made them; each file's own hash beside it."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.core import artifacts
from pipeline.core.errors import InputError


def once(home: Path, recipe: Sequence[str], make: Callable[[], artifacts.Arrays]) -> artifacts.Arrays:
    """Arrays from a folder where they lie there, made and kept where not.

    recipe: all that can change them; the first is a module, whose text counts.
    """
    module, *rest = recipe
    digest = hashlib.sha256(Path(module).read_bytes() + json.dumps(rest).encode())
    file = home / f"{digest.hexdigest()[:32]}.safetensors"
    if not file.exists():
        write(file, make())
    return read(file)


def write(file: Path, arrays: artifacts.Arrays) -> None:
    """Keep some arrays."""
    # The arrays come last: a file without its hash is not there, and so is made again.
    scratch = file.with_suffix(".new")
    artifacts.write_arrays(scratch, arrays)
    artifacts.write_bytes(file.with_suffix(".sha256"), artifacts.sha256(scratch).encode())
    scratch.rename(file)


def read(file: Path) -> artifacts.Arrays:
    """Arrays as they were kept.  Raises InputError that names a file whose hash is another one."""
    recorded = file.with_suffix(".sha256")
    if not recorded.exists() or artifacts.sha256(file) != recorded.read_text():
        raise InputError(f"{file}: this shard of cached features is corrupted; delete it and run the stage again")
    return artifacts.read_item(file)  # type: ignore[no-any-return]
