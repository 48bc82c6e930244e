"""A dask scheduler and workers on this machine, each a process of its own that a test may kill."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import ROOT

from pipeline.core import artifacts

HERE = Path(__file__).parent


class Machines:
    """A scheduler and workers, each a process of its own, in a folder that is not the caller's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen] = []
        place = folder / "scheduler.json"
        self._start("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(place))
        try:
            wait_for(lambda: place.exists() and place.stat().st_size > 0)
        except AssertionError:
            self.stop()
            raise
        self.address = artifacts.read_item(place)["address"]

    def worker(self, threads: int = 1) -> subprocess.Popen:
        """One more worker."""
        return self._start("worker", self.address, "--nthreads", str(threads), "--no-nanny", "--no-dashboard")

    def stop(self) -> None:
        """End every process that is still there."""
        for process in reversed(self.processes):
            process.kill()
            process.wait()

    def _start(self, *arguments: str) -> subprocess.Popen:
        self.folder.mkdir(exist_ok=True)
        paths = os.pathsep.join([str(ROOT), str(HERE)])
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        with (self.folder / f"{len(self.processes)}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                cwd=self.folder,
                env={**os.environ, **threads, "PYTHONPATH": paths},
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it is so, three minutes at most."""
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def at_the_moment(condition: Callable[[], bool], process: subprocess.Popen) -> Iterator[None]:
    """Kill a process as soon as the condition holds, while the caller goes on."""

    def kill() -> None:
        wait_for(condition)
        process.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    yield
    killer.join()
