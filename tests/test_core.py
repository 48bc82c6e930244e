"""Artefacts are whole or absent, units survive a kill, cores leave no trace."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.core import artifacts, cells, experiments, parallel, stage, streams
from pipeline.core.errors import InputError


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_bundle_comes_back_as_written() -> None:
    table = pd.DataFrame({"smiles": ["C", "CC"], "label": [0.5, 1.0]})
    artifacts.write("data", "toy", {"arrays": {"x": np.eye(2)}, "table": table, "plain": [1, "a"]})
    bundle = artifacts.Bundle(artifacts.folder("data", "toy"))
    assert list(bundle) == ["arrays", "plain", "table"] and len(bundle) == 3
    np.testing.assert_array_equal(bundle["arrays"]["x"], np.eye(2))
    pd.testing.assert_frame_equal(bundle["table"], table)
    assert bundle["plain"] == [1, "a"]
    with pytest.raises(InputError, match="no item 'arr'"):
        bundle["arr"]


def test_a_value_that_is_not_finite_is_refused_and_the_old_bundle_stays() -> None:
    artifacts.write("data", "toy", {"seed-0": {"x": np.ones(2)}})
    with pytest.raises(InputError, match=r"seed-0: x\[1\] is not a finite number"):
        artifacts.write("data", "toy", {"seed-0": {"x": np.array([0, np.nan])}})
    np.testing.assert_array_equal(artifacts.Bundle(artifacts.folder("data", "toy"))["seed-0"]["x"], np.ones(2))
    assert [path.name for path in Path("artifacts/data").iterdir()] == ["toy"]


@pytest.mark.parametrize("name", ["a.safetensors", "a.parquet", "a.json"])
def test_a_truncated_item_is_named(name: str) -> None:
    Path(name).write_bytes(b"\x08{")
    with pytest.raises(InputError, match=f"{name} is damaged"):
        artifacts.read_item(Path(name))


def test_a_missing_bundle_says_what_to_do() -> None:
    with pytest.raises(InputError, match="artifacts/data/toy is missing; run `dvc repro`"):
        artifacts.Bundle(artifacts.folder("data", "toy"))


def test_a_full_disk_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch) -> None:
    artifacts.write_json(Path("a.json"), 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "a.json")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        artifacts.write_json(Path("a.json"), 2)
    assert artifacts.read_item(Path("a.json")) == 1 and len(list(Path().iterdir())) == 1


def test_streams_are_named_and_independent() -> None:
    first, again, other = (streams.generator(3, name).random(4) for name in ("a", "a", "b"))
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).any()
    orders = streams.orders(streams.generator(0, "orders"), 5, 9)
    assert (np.sort(orders, axis=1) == np.arange(9)).all() and len({tuple(row) for row in orders}) == 5


def draw(seed: int) -> artifacts.Arrays:
    """Unit of work with a BLAS product, whose sum order would show a second thread."""
    matrix = streams.generator(seed, "unit").normal(size=(300, 300))
    return {"x": matrix @ matrix}


def slow(name: str, log: Path, hang: bool) -> artifacts.Arrays:
    """Unit that says it ran; the last one hangs until it is killed."""
    log.mkdir(exist_ok=True)
    (log / f"{name}-{os.getpid()}-{time.time_ns()}").touch()
    if hang:
        time.sleep(600)
    return {"x": np.ones(1)}


def test_the_number_of_workers_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    content = []
    for count in ("1", "2"):
        monkeypatch.setenv("W2S_WORKERS", count)
        parallel.Pool("draw", Path(count)).map(draw, {f"unit-{seed}": (seed,) for seed in range(4)})
        content.append([path.read_bytes() for path in sorted(Path(count).glob("*.safetensors"))])
    assert len(content[0]) == 4 and content[0] == content[1]


def killed() -> artifacts.Arrays:
    """Unit whose process ends as the system ends one when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def test_a_worker_killed_by_the_system_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("W2S_WORKERS", "2")
    with pytest.raises(InputError, match="worker process was killed.*set W2S_WORKERS=1"):
        parallel.Pool("killed", Path("partial")).map(killed, {"a": (), "b": ()})


def test_a_killed_run_keeps_its_finished_units(monkeypatch: pytest.MonkeyPatch) -> None:
    here = str(Path(__file__).parent)
    code = (
        f"import sys; sys.path.insert(0, {here!r})\nfrom pathlib import Path\nfrom test_core import slow\n"
        "from pipeline.core.parallel import Pool\n"
        "Pool('slow', Path('partial')).map(slow, {f'unit-{i}': (f'unit-{i}', Path('log'), i == 3) for i in range(4)})"
    )
    paths = os.pathsep.join([here, os.environ["PYTHONPATH"]])
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "W2S_WORKERS": "1", "PYTHONPATH": paths},
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while len(list(Path("partial").glob("*.safetensors"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    monkeypatch.setenv("W2S_WORKERS", "1")
    units = {f"unit-{i}": (f"unit-{i}", Path("log"), False) for i in range(4)}
    assert list(parallel.Pool("slow", Path("partial")).map(slow, units)) == list(units)
    ran = [path.name.split("-")[1] for path in Path("log").iterdir()]
    assert sorted(set(ran)) == ["0", "1", "2", "3"] and all(ran.count(unit) == 1 for unit in "012")


@pytest.mark.parametrize("text", ["0", "two", "-1"])
def test_a_bad_number_of_workers_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("W2S_WORKERS", text)
    with pytest.raises(InputError, match=f"W2S_WORKERS is '{text}'"):
        parallel.workers()


def test_an_entry_point_ends_in_one_line(write_params: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pipeline.weak", "synthetic"])
    with pytest.raises(SystemExit) as caught:
        stage.main("weak")
    assert str(caught.value) == "error: artifacts/data/synthetic is missing; run `dvc repro` to make it"
    monkeypatch.setattr(sys, "argv", ["pipeline.weak"])
    with pytest.raises(SystemExit, match="usage: python -m pipeline.weak <experiment>"):
        stage.main("weak")


def good_cells() -> pd.DataFrame:
    return pd.DataFrame({column: [1.0, 2.0] for column in cells.COLUMNS})


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    program = "from pipeline.core.errors import command_line; command_line(lambda: print('row\\n' * 100_000))"
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], text=True, **pipes) as run:
        assert run.stdout and run.stderr and run.stdout.readline() == "row\n"
        run.stdout.close()
        assert run.stderr.read() == "" and run.wait() == 1


def test_cells_come_back() -> None:
    artifacts.write_cells(Path("cells.csv"), good_cells())
    assert list(cells.read(Path("cells.csv"))["gain"]) == [1, 2]


def test_incomplete_cells_are_named() -> None:
    path = Path("cells.csv")
    with pytest.raises(InputError, match="cells.csv is missing"):
        cells.read(path)
    good_cells().drop(columns="gain").to_csv(path)
    with pytest.raises(InputError, match="lacks the column gain"):
        cells.read(path)
    good_cells().assign(misfit=[1, None]).to_csv(path)
    with pytest.raises(InputError, match="line 3 has no finite number under misfit"):
        cells.read(path)
    good_cells().iloc[:0].to_csv(path)
    with pytest.raises(InputError, match="holds no row"):
        cells.read(path)
    path.write_text("")
    with pytest.raises(InputError, match="not a readable CSV"):
        cells.read(path)


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (
            {"cells": good_cells().drop(columns="cross_term"), "metrics": {}},
            "gives row 0 no finite .* under cross_term",
        ),
        ({"cells": good_cells().assign(gain=[1, None]), "metrics": {}}, "gives row 1 no finite number under gain"),
        ({"cells": good_cells()}, "must return a dict with `cells` and `metrics`"),
        (None, "must return a dict with `cells` and `metrics`"),
    ],
)
def test_evaluate_that_makes_no_cells_is_told_its_module(
    outcome: Any, told: str, write_params: Callable[..., None]
) -> None:
    """Before anything is written, not only when a study is published."""
    digits = experiments.load("digits")
    place = r"^evaluate of digits \(pipeline/experiments/digits/evaluate.py\) "
    with pytest.raises(InputError, match=place + told):
        stage._store("evaluate", digits, outcome)
    assert not Path("results").exists()
