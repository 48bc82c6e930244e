"""Units of work on a real dask scheduler with worker processes, against the same units on this machine's cores."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from machines import Machines, at_the_moment

from pipeline.core import artifacts, cluster, parallel, streams
from pipeline.core.errors import InputError


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A scheduler and one worker for every test that kills neither."""
    started = Machines(tmp_path_factory.mktemp("machines"))
    started.worker()
    yield started
    started.stop()


@pytest.fixture
def machines(lasting: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machines:
    """The same, named by W2S_SCHEDULER, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("W2S_SCHEDULER", lasting.address)
    return lasting


@pytest.fixture
def frail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    """A scheduler without workers whose processes may be killed."""
    monkeypatch.chdir(tmp_path)
    started = Machines(tmp_path / "machines")
    monkeypatch.setenv("W2S_SCHEDULER", started.address)
    yield started
    started.stop()


def product(seed: int, data: artifacts.Bundle, log: Path) -> artifacts.Arrays:
    """Unit with a BLAS product; it leaves a file that names the process, and takes long enough to be killed in."""
    (log / f"{seed}-{os.getpid()}").touch()
    time.sleep(0.3)
    matrix = streams.generator(seed, "unit").normal(size=(300, 300)) * data["scale"]["x"]
    return {"x": matrix @ matrix}


def units() -> dict[str, tuple]:
    """Eight units that read one bundle."""
    Path("log").mkdir(exist_ok=True)
    artifacts.write("data", "toy", {"scale": {"x": np.full(1, 0.5)}})
    data = artifacts.Bundle(artifacts.folder("data", "toy"))
    return {f"unit-{seed}": (seed, data, Path("log").resolve()) for seed in range(8)}


def started(log: Path) -> list[str]:
    return sorted(path.name.split("-")[0] for path in log.iterdir())


def files(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_a_killed_worker_and_a_killed_scheduler_lose_nothing(frail: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    first, todo, log = frail.worker(), units(), Path("log").resolve()
    frail.worker()
    with at_the_moment(lambda: any(path.name.endswith(f"-{first.pid}") for path in log.iterdir()), first):
        parallel.Pool("cluster", Path("cluster")).map(product, todo)
    ran = started(log)
    assert sorted(set(ran)) == list("01234567") and len(ran) == len(todo) + 1  # the unit under way ran twice
    lost = pytest.raises(InputError, match="the scheduler at .* is gone; start it again: finished units are kept")
    half = Path("half")
    with at_the_moment(lambda: len(list(half.glob("*.safetensors"))) >= 2, frail.processes[0]), lost:
        parallel.Pool("half", half).map(product, todo)
    kept = files("half")
    assert 2 <= len(kept) < len(todo)
    monkeypatch.delenv("W2S_SCHEDULER")
    parallel.Pool("here", Path("here")).map(product, todo)
    assert files("cluster") == files("here") == {**files("here"), **kept}


def test_finished_units_are_not_sent_again(machines: Machines) -> None:
    todo = units()
    pool = parallel.Pool("cluster", Path("partial"))
    pool.map(product, dict(list(todo.items())[:2]))
    assert list(pool.map(product, dict(list(todo.items())[:4]))) == list(todo)[:4]
    assert started(Path("log")) == ["0", "1", "2", "3"]


def failing(seed: int) -> artifacts.Arrays:
    """Unit whose settings are wrong."""
    raise InputError(f"seed {seed} diverged; lower the learning rate")


def test_a_users_mistake_comes_back_as_one_line(machines: Machines) -> None:
    with pytest.raises(InputError, match="^seed 3 diverged; lower the learning rate$"):
        parallel.Pool("cluster", Path("partial")).map(failing, {"unit-3": (3,)})


def test_a_worker_that_does_not_see_the_data_is_named(machines: Machines) -> None:
    todo = units()
    artifacts.folder("data", "toy").rename("elsewhere")
    with pytest.raises(InputError, match="worker .* does not see .*toy; mount the repository's folder"):
        parallel.Pool("cluster", Path("partial")).map(product, todo)


def test_a_worker_with_other_code_is_refused(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "fingerprint", lambda: {"pipeline": "0123"})
    with pytest.raises(InputError, match="has pipeline [0-9a-f]+, this machine 0123; use the same revision"):
        parallel.Pool("cluster", Path("partial")).map(product, units())


def test_no_worker_several_threads_and_no_scheduler_are_one_line_each(
    frail: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = parallel.Pool("cluster", Path("partial"))
    with monkeypatch.context() as patch, pytest.raises(InputError, match="has no worker; start one on each machine"):
        patch.setattr(cluster, "SECONDS_TO_CONNECT", 1)
        pool.map(product, units())
    frail.worker(threads=2)
    with pytest.raises(InputError, match="has 2 threads.*--nthreads 1"):
        pool.map(product, units())
    monkeypatch.setenv("W2S_SCHEDULER", "tcp://127.0.0.1:1")
    monkeypatch.setattr(cluster, "SECONDS_TO_CONNECT", 1)
    with pytest.raises(InputError, match="no dask scheduler answers at tcp://127.0.0.1:1; start it"):
        pool.map(product, units())


@pytest.mark.parametrize("text", ["host:8786", "tcp://host", "local"])
def test_a_bad_address_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("W2S_SCHEDULER", text)
    with pytest.raises(InputError, match=f"W2S_SCHEDULER is '{text}'; give an address such as tcp://host:8786"):
        cluster.address()
