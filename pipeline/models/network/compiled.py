"""The decorator of every kernel: compiled once per machine, and again when any file of this folder changes.

numba's own cache looks only at the file of the function itself; a kernel would go on with yesterday's code of what it
calls in other files.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from numba import config, njit

_FOLDER = Path(__file__).parent


def fingerprint() -> str:
    """Of all sources in this folder."""
    sources = b"".join(path.name.encode() + path.read_bytes() for path in sorted(_FOLDER.glob("*.py")))
    return hashlib.sha256(sources).hexdigest()[:16]


_CACHE = str(_FOLDER / "__pycache__" / f"kernels-{fingerprint()}")


def kernel(function: Callable) -> Callable:
    """numba.njit with plain IEEE arithmetic, cached beside the byte code of this folder."""
    previous, config.CACHE_DIR = config.CACHE_DIR, _CACHE
    try:
        return njit(cache=True)(function)
    finally:
        config.CACHE_DIR = previous
