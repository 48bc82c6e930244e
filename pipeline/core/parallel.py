"""Cores are used here and nowhere else: units of work spread over processes, one thread each, finished units kept.

The number of workers comes from the environment (W2S_WORKERS, by default all cores) because it never changes a result,
and so does the scheduler of a dask cluster to use instead (W2S_SCHEDULER).
"""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from pipeline.core import artifacts, cluster
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError


def workers() -> int:
    """Worker processes to use on this machine."""
    text = os.environ.get("W2S_WORKERS", "")
    if not text:
        return os.cpu_count() or 1
    if not text.isdecimal() or int(text) == 0:
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
        finished = self._from_cluster(function, todo) if cluster.address() else self._here(function, todo)
        done, total = len(units) - len(todo), len(units)
        for _ in tqdm(finished, desc=self.label, initial=done, total=total, disable=None, leave=False):
            pass
        return {name: artifacts.read_item(self._path(name)) for name in units}

    def checkpoint(self, name: str) -> Path:
        """Where a long unit may keep its state between chunks of its own work."""
        return self.partial.resolve() / "checkpoints" / f"{name}.safetensors"

    def _path(self, name: str) -> Path:
        return self.partial.resolve() / f"{name}.safetensors"

    def _here(self, function: Callable[..., Arrays], todo: Mapping[str, tuple[Any, ...]]) -> Iterator[Any]:
        # Results are written by the workers, so only the fact that one finished travels back.
        return unordered(_write, {name: (self._path(name), function, todo[name]) for name in todo})

    def _from_cluster(self, function: Callable[..., Arrays], todo: Mapping[str, tuple[Any, ...]]) -> Iterator[Any]:
        return (artifacts.write_arrays(self._path(name), arrays) for name, arrays in unordered(function, todo))


def unordered(function: Callable[..., Any], units: Mapping[str, tuple[Any, ...]]) -> Iterator[tuple[str, Any]]:
    """Name and result of each unit as it finishes, on this machine's cores or on those of the cluster."""
    single = partial(_on_one_thread, function)
    if scheduler := cluster.address():
        return cluster.results(scheduler, single, units)
    return _on_cores(single, units)


def single_thread() -> None:
    """One thread for this process's linear algebra and torch, so that sums have one order."""
    threadpool_limits(1)
    torch = __import__("sys").modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def _on_cores(function: Callable[..., Any], units: Mapping[str, tuple[Any, ...]]) -> Iterator[tuple[str, Any]]:
    # A worker whose memory grew is replaced by a fresh one, which is no news to anybody.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor", UserWarning)
    jobs = (delayed(_named)(name, function, arguments) for name, arguments in units.items())
    try:
        with parallel_config(backend="loky", n_jobs=workers(), inner_max_num_threads=1):
            yield from Parallel(return_as="generator_unordered")(jobs)
    except TerminatedWorkerError:
        raise InputError(
            "a worker process was killed, most likely for want of memory; set W2S_WORKERS=1 and run again: what is "
            "finished is kept"
        ) from None


def _named(name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, Any]:
    return name, function(*arguments)


def _on_one_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    single_thread()
    return function(*arguments)


def _write(path: Path, function: Callable[..., Arrays], arguments: tuple[Any, ...]) -> None:
    artifacts.write_arrays(path, function(*arguments))
