"""The decorator of every kernel: compiled once per machine, and again when any file of this folder changes.

numba's own cache looks only at the file of the function itself; a kernel would go on with yesterday's code of what it
calls in other files.  Compiled kernels lie in W2S_KERNELS, by default beside the byte code of this folder; several
clones may share one folder.
"""

import hashlib
import os
from collections.abc import Callable
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


_HOME = Path(os.environ.get("W2S_KERNELS", _FOLDER / "__pycache__")).resolve()
_CACHE = str(_HOME / f"kernels-{fingerprint()}")
_LOCATOR = f"{ByContent.__module__}.{ByContent.__qualname__}"


def kernel(function: Callable) -> Callable:
    """numba.njit with plain IEEE arithmetic, cached."""
    previous = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
    config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = _CACHE, _LOCATOR
    try:
        return njit(cache=True)(function)
    finally:
        config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = previous
