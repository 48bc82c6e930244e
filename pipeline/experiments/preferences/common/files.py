"""Files of text: looked for in `data/`, then in the mirror (W2S_MIRROR, by default ../shared/data), always checked."""

import hashlib
import os
from pathlib import Path

from pipeline.core.errors import InputError
from pipeline.experiments.preferences.common.fields import File

SHIPPED = Path("data")


def found(owner: str, file: File, remedy: str) -> Path:
    """Place of a file.  Raises InputError that names both places tried, or a hash that differs."""
    mirror = Path(os.environ.get("W2S_MIRROR", "../shared/data"))
    for path in (SHIPPED / file.path, mirror / file.path):
        if path.exists():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest == file.sha256:
                return path
            raise InputError(f"{path}: sha256 {digest[:12]}... is not the recorded one; restore the file ({owner})")
    raise InputError(
        f"{file.path} of the {owner} is neither in {SHIPPED} nor in {mirror}; set W2S_MIRROR to a folder that holds "
        f"it, or {remedy}"
    )
