"""Cores are used here and nowhere else: units of work spread over processes, one thread each, finished units kept.

The number of workers comes from the environment (W2S_WORKERS, by default all cores) because it never changes a result.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from pipeline.core import artifacts
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError


def workers() -> int:
    """Worker processes to use."""
    text = os.environ.get("W2S_WORKERS", "")
    if not text:
        return os.cpu_count() or 1
    if not text.isdigit() or int(text) == 0:
        raise InputError(f"W2S_WORKERS is '{text}'; give a whole number of at least 1, or unset it")
    return int(text)


@dataclass(frozen=True)
class Pool:
    """Maps a function over named units; the result of each finished unit survives a kill in ``partial``."""

    label: str
    partial: Path

    def map(self, function: Callable[..., Arrays], units: Mapping[str, tuple[Any, ...]]) -> dict[str, Arrays]:
        """Results of ``function(*arguments)`` by unit name, in the order of ``units``, whatever the workers."""
        todo = {name: arguments for name, arguments in units.items() if not self._path(name).exists()}
        jobs = (delayed(_one)(function, arguments, self._path(name)) for name, arguments in todo.items())
        for _ in self._progress(jobs, done=len(units) - len(todo), total=len(units)):
            pass
        return {name: artifacts.read_item(self._path(name)) for name in units}

    def checkpoint(self, name: str) -> Path:
        """Where a long unit may keep its state between chunks of its own work."""
        return self.partial.resolve() / "checkpoints" / f"{name}.safetensors"

    def _path(self, name: str) -> Path:
        return self.partial.resolve() / f"{name}.safetensors"

    def _progress(self, jobs: Iterable[Any], done: int, total: int) -> Iterable[Any]:
        # Results are written by the workers, so only the fact that one finished travels back.
        with parallel_config(backend="loky", n_jobs=workers(), inner_max_num_threads=1):
            finished = Parallel(return_as="generator_unordered")(jobs)
            yield from tqdm(finished, desc=self.label, initial=done, total=total, disable=None, leave=False)


def single_thread() -> None:
    """One thread for this process's linear algebra and torch, so that sums have one order."""
    threadpool_limits(1)
    torch = __import__("sys").modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def _one(function: Callable[..., Arrays], arguments: tuple[Any, ...], path: Path) -> None:
    single_thread()
    artifacts.write_arrays(path, function(*arguments))
