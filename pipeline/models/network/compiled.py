"""The decorator of every kernel: compiled once per machine, and again when any file of this folder changes.

numba's own cache looks only at the file of the function itself; a kernel would go on with yesterday's code of what it
calls in other files.  Compiled kernels lie in W2S_KERNELS (or NUMBA_CACHE_DIR), by default beside the byte code of this
folder; several clones may share one folder.  Where none can be written, as in a read-only image, nothing is kept.
"""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from numba import config, njit
from numba.core.caching import UserProvidedCacheLocator

_FOLDER = Path(__file__).parent


class ByContent(UserProvidedCacheLocator):
    """One folder for the kernels of one state of the sources, wherever these lie."""

    def __init__(self, function: Callable, file: str) -> None:
        super().__init__(function, file)
        self._cache_path = str(Path(config.CACHE_DIR) / Path(file).parent.name)


def fingerprint() -> str:
    """Of all sources in this folder."""
    sources = b"".join(path.name.encode() + path.read_bytes() for path in sorted(_FOLDER.glob("*.py")))
    return hashlib.sha256(sources).hexdigest()[:16]


_HOME = Path(os.environ.get("W2S_KERNELS") or config.CACHE_DIR or _FOLDER / "__pycache__").resolve()
_CACHE = str(_HOME / f"kernels-{fingerprint()}")
_LOCATOR = f"{ByContent.__module__}.{ByContent.__qualname__}"


@cache
def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def kernel(function: Callable) -> Callable:
    """numba.njit with plain IEEE arithmetic, cached where there is a place to write."""
    if not _is_writable(Path(_CACHE)):
        return njit(function)
    previous = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
    config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = _CACHE, _LOCATOR
    try:
        return njit(cache=True)(function)
    finally:
        config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = previous
