"""What a manifest says of device and code, and how old a snapshot is."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from test_reproduce import some_cells

from pipeline import publish
from pipeline.core import artifacts, experiments, keys

STUDY = "molecules_gpu"
RECORD = {"device": "NVIDIA H100 80GB HBM3", "tokens_per_second": 1.0, "peak_memory_bytes": 2}


@pytest.fixture
def made(write_params: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, Any]]:
    """A folder with results of the study and a copy of its sources; publishes them and returns the manifest."""
    artifacts.write_cells(Path(f"artifacts/results/{STUDY}/cells.csv"), some_cells())
    artifacts.write_json(Path(f"artifacts/results/{STUDY}/metrics.json"), {})
    artifacts.write("data", STUDY, {"plain": [1]})
    shutil.copytree(ROOT / "pipeline", "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(keys, "PACKAGE", Path("pipeline").resolve())
    monkeypatch.setattr(experiments, "HOME", Path("pipeline/experiments").resolve())

    def manifest() -> dict[str, Any]:
        return json.loads((publish.publish(STUDY) / "manifest.json").read_text())

    return manifest


def test_the_device_is_the_gpu_that_trained(made: Callable[[], dict[str, Any]]) -> None:
    assert made()["device"].endswith(" CPU") and "throughput" not in made()
    for name, record in (("strong", RECORD), ("small", {**RECORD, "device": "CPU"})):
        artifacts.write_json(Path(f"artifacts/runtime/throughput/{STUDY}/{name}.json"), record)
    manifest = made()
    assert manifest["device"].startswith("NVIDIA H100 80GB HBM3, ") and manifest["device"].endswith(" CPU")
    assert manifest["throughput"]["strong"] == RECORD


def test_a_snapshot_older_than_its_code_is_found(
    made: Callable[[], dict[str, Any]], write_params: Callable[..., None]
) -> None:
    made()
    assert publish.older_than(STUDY) == []
    other = Path("pipeline/language/reading.py")  # no stage of the study depends on it
    other.write_text(other.read_text() + "changed = 1\n")
    assert publish.older_than(STUDY) == []
    own = Path("pipeline/scale/training.py")
    own.write_text(own.read_text() + "changed = 1\n")
    assert publish.older_than(STUDY) == ["older than the code it claims"]
    write_params(molecules_gpu__represent__seeds=[7])
    assert publish.older_than(STUDY) == [
        "older than the settings in studies/molecules_gpu.yaml",
        "older than the code it claims",
    ]


def test_a_snapshot_without_recorded_code_says_so(
    made: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = made()
    del manifest["code_sha256"]
    artifacts.write_json(Path(f"published/{STUDY}/manifest.json"), manifest)
    monkeypatch.setattr("sys.argv", ["publish", "--check"])
    publish.main()
    assert capsys.readouterr().out == f"published/{STUDY}: code not recorded\n"


def test_only_what_is_loaded_counts(made: Callable[[], dict[str, Any]]) -> None:
    """A reworded comment, another module and compiled files leave a snapshot as old as it was."""
    study = experiments.load(STUDY)
    before = publish.code(study)
    cache = Path("pipeline/core/__pycache__")
    cache.mkdir(exist_ok=True)
    (cache / "config.pyc").write_bytes(b"x")
    for name in ("scale/training.py", "core/config.py"):
        path = Path("pipeline") / name
        path.write_text(path.read_text() + "# a comment\n")
    assert publish.code(study) == before
