"""A stage killed three times at random moments: nothing half-written, no unit twice, the bytes of a quiet run.

The whole pipeline under DVC and more kills: `python -m tests.kill_resume`.
"""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.core import stage
from tests.clones import environment, outcomes
from tests.conftest import ROOT, Tiny
from tests.kill_resume import finished_units, half_written, kill_everything, temporary

COMMAND = [sys.executable, "-m", "pipeline.represent", "synthetic"]
SEEDS = 5  # two units each


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tiny data of one experiment, drawn."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("W2S_WORKERS", "1")
    params = Tiny()
    params["synthetic"]["data"].update(seeds=list(range(SEEDS)), tasks=3)
    params["synthetic"]["represent"]["epochs"] = 100
    params.write(tmp_path)
    stage.run("data", "synthetic")
    return tmp_path


def own_units(folder: Path) -> dict[Path, tuple[int, int]]:
    """Finished units of the stage that is killed; those of the stage before go when it ends."""
    return {path: seen for path, seen in finished_units(folder).items() if "represent-synthetic" in path.parts}


def killed_after(folder: Path, units: int, delay: float) -> None:
    """Start the stage, and kill it some time after so many units are finished."""
    process = subprocess.Popen(
        COMMAND, cwd=folder, env=environment(PYTHONPATH=str(ROOT), W2S_WORKERS="1"), start_new_session=True
    )
    deadline = time.monotonic() + 120
    while len(own_units(folder)) < units and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(delay)
    kill_everything(process, folder)


def test_three_kills_leave_no_trace(folder: Path) -> None:
    moments, seen = random.Random(0), {}
    for units in (1, 4, 7):
        killed_after(folder, units, moments.uniform(0, 0.1))
        found = own_units(folder)
        assert len(found) >= units and seen.items() <= found.items()
        assert half_written(folder) == []
        assert not (folder / "artifacts/represent/synthetic").exists() or len(found) == 2 * SEEDS
        seen = found
    stage.run("represent", "synthetic")
    assert seen.items() <= own_units(folder).items()
    assert [path for path in temporary(folder) if "partial" not in path.parts] == []
    resumed = outcomes(folder)
    for path in own_units(folder):
        path.unlink()
    stage.run("represent", "synthetic")
    assert outcomes(folder) == resumed and len(resumed) == 2 * SEEDS


def test_units_are_kept_until_the_next_stage_is_done(folder: Path) -> None:
    stage.run("represent", "synthetic")
    kept = finished_units(folder)
    stage.run("represent", "synthetic")
    assert len(kept) == 2 * SEEDS and finished_units(folder) == kept
    stage.run("weak", "synthetic")
    assert not any(path.match("represent-synthetic/*/*") for path in finished_units(folder))


def test_what_a_kill_left_beside_a_result_goes_with_the_next_run(folder: Path) -> None:
    left = [
        folder / "artifacts/data/.synthetic-abc/seed-0.safetensors",
        folder / "artifacts/runtime/.data-synthetic.json-x",
    ]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    stage.run("data", "synthetic")
    assert temporary(folder) == [] and not any(path.exists() for path in left)
