"""A dask cluster in place of this machine's cores: W2S_SCHEDULER=tcp://host:port.

Units go to the workers by joblib's dask backend and their results travel back; the caller alone writes.  A unit whose
worker dies goes to another one.  Bundles that a unit reads are not sent: they lie in a folder that all machines see.
"""

import functools
import hashlib
import logging
import os
import platform
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed, parallel_config

from pipeline.core.artifacts import Bundle
from pipeline.core.errors import InputError

SECONDS_TO_CONNECT = 15
# What can move a result's last bits; a worker that differs in one of these is refused.
PACKAGES = ("numpy", "scipy", "numba", "torch")


def address() -> str:
    """Where the scheduler listens, '' where this machine's own cores are used."""
    text = os.environ.get("W2S_SCHEDULER", "")
    if text and not re.fullmatch(r"(tcp|tls)://[^\s/]+:\d+", text):
        raise InputError(f"W2S_SCHEDULER is '{text}'; give an address such as tcp://host:8786, or unset it")
    return text


def results(
    scheduler: str, function: Callable[..., Any], units: Mapping[str, tuple[Any, ...]]
) -> Iterator[tuple[str, Any]]:
    """Name and result of each unit as it finishes, in no order."""
    if not units:
        return
    here = fingerprint()
    jobs = (delayed(_one)(name, function, arguments, here) for name, arguments in units.items())
    with _client(scheduler) as client, _mendable(scheduler), parallel_config(backend=_backend(client)):
        # All are handed over at once, so that workers which join later find work.
        yield from Parallel(return_as="generator_unordered", pre_dispatch="all", batch_size=1)(jobs)


@functools.cache
def fingerprint() -> dict[str, str]:
    """What has to be the same here and on every worker: this package's sources, Python, the numerical packages."""
    sources = hashlib.sha256()
    for module in sorted(Path(__file__).parents[1].rglob("*.py")):
        sources.update(module.read_bytes())
    versions = {package: version(package).partition("+")[0] for package in PACKAGES}
    return {"pipeline": sources.hexdigest()[:16], "python": platform.python_version(), **versions}


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    from dask.distributed import Client  # a second to import, only where it is used

    for name in ("distributed", "distributed.client"):  # their tracebacks are one line below
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = Client(scheduler, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError):
        remedy = "start it with `python -m dask scheduler`, or unset W2S_SCHEDULER"
        raise InputError(f"no dask scheduler answers at {scheduler}; {remedy}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=SECONDS_TO_CONNECT)
        except TimeoutError:
            remedy = f"start one on each machine: `python -m dask worker {scheduler} --nthreads 1 --nworkers <cores>`"
            raise InputError(f"the scheduler at {scheduler} has no worker; {remedy}") from None
        yield client


@contextmanager
def _mendable(scheduler: str) -> Iterator[None]:
    """What goes wrong on the cluster, and what to do about it, in one line."""
    from dask.distributed import KilledWorker
    from distributed.client import FutureCancelledError

    try:
        yield
    except ModuleNotFoundError as error:
        remedy = f"start it in the root of this repository: `python -m dask worker {scheduler} --nthreads 1`"
        raise InputError(f"a worker of {scheduler} has no module '{error.name}'; {remedy}") from None
    except KilledWorker as error:
        remedy = "give each worker more memory, or start fewer on a machine; finished units are kept"
        last = error.last_worker.address
        raise InputError(f"a unit outlived {error.allowed_failures + 1} workers, the last {last}; {remedy}") from None
    except FutureCancelledError:
        raise InputError(f"the scheduler at {scheduler} is gone; start it again: finished units are kept") from None


def _backend(client: Any) -> Any:
    from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):
        """joblib takes one core for a reason to work in the caller itself; here more workers may join later."""

        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(super().effective_n_jobs(n_jobs), 2)

    return Backend(client=client)


def _one(
    name: str, function: Callable[..., Any], arguments: tuple[Any, ...], caller: dict[str, str]
) -> tuple[str, Any]:
    # Arguments come as one tuple: joblib would scatter large ones to a single worker, and lose them with it.
    _refuse_strangers(caller)
    for argument in arguments:
        if isinstance(argument, Bundle) and not argument.folder.is_dir():
            remedy = "mount the repository's folder there under the same path, or unset W2S_SCHEDULER"
            raise InputError(f"worker {socket.gethostname()} does not see {argument.folder}; {remedy}")
    return name, function(*arguments)


def _refuse_strangers(caller: dict[str, str]) -> None:
    from dask.distributed import get_worker

    where, own = f"worker {socket.gethostname()}", fingerprint()
    if (threads := get_worker().state.nthreads) != 1:
        raise InputError(f"{where} has {threads} threads, sums would have no fixed order; start it with --nthreads 1")
    for what, expected in caller.items():
        if own[what] != expected:
            remedy = "use the same revision and requirements.lock on every machine, and start the worker again"
            raise InputError(f"{where} has {what} {own[what]}, this machine {expected}; {remedy}")
