"""A prepared session, at tiny size on the processor: what travels runs where DVC, RDKit and pydantic are missing."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT, Tiny
from safetensors.numpy import load_file

from pipeline.core import artifacts
from pipeline.core.artifacts import Bundle
from pipeline.core.errors import InputError
from pipeline.scale import throughput
from pipeline.session import language, molecules, prepare, run, steps
from tests.test_finetuning import tiny as tiny_finetuning
from tests.tiny_language import save_model, tiny_preferences
from tests.tiny_pretraining import SHAPES, tiny_pretraining

# Hides what the other machine lacks, lets nothing connect, and runs every step in one process, which imports once.
THERE = """
import os, socket, sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.partition(".")[0] in ("dvc", "rdkit", "pydantic")
        return None if hidden else super().find_spec(name, path, target)

def refuse(*arguments): raise OSError("no network")

sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
socket.socket.connect = refuse
from pipeline.session import language, molecules, run

def here(command, **options):
    sys.argv = command[2:]
    (molecules if command[2].endswith("molecules") else language).main()

run.subprocess.run = here
for pack in sys.argv[1:]:
    os.chdir(pack)
    sys.argv = ["run", "../out", "--benchmark", "0"]
    run.main()
assert not {"dvc", "rdkit", "pydantic"} & set(sys.modules)
assert os.path.dirname(os.path.dirname(run.__file__)) == os.environ["CODE"]
"""


@pytest.fixture(scope="module", autouse=True)
def tiny_sizes() -> None:
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "TASKS_PREPARED", 20)
        patch.setattr(prepare, "EXACT", 12)
        patch.setattr(prepare, "BENCHMARK_STEPS", 13)
        patch.setattr(prepare, "TOKENS", 1536)
        patch.setattr(prepare, "DISTINCT", 1024)
        patch.setattr(prepare, "ROWS", 20)
        patch.setenv("W2S_WORKERS", "1")
        patch.setenv("W2S_DEVICE", "cpu")
        patch.setenv("W2S_MIRROR", "mirror")
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By kind a folder with tiny settings, the prepared session and its results."""
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in prepare.KINDS}
    with pytest.MonkeyPatch.context() as patch:
        for kind, folder in folders.items():
            patch.chdir(folder)
            params = Tiny()
            if kind == "language":
                shrink_language(params, folder)
            else:
                (folder / "data").symlink_to(ROOT / "data")
            params.write(folder)
            sizes = prepare.prepare(kind, folder / "pack")
            assert sizes[f"{folder}/pack"] > sum(sizes.values()) / 2 and f"{folder}/pack/material/session.json" in sizes
    packs = [str(folder / "pack") for folder in folders.values()]
    kernels = str(ROOT / "pipeline/models/network/__pycache__")  # compiled once for all tests
    environment = {**os.environ, "PYTHONPATH": packs[0], "CODE": f"{packs[0]}/pipeline", "W2S_KERNELS": kernels}
    command = [sys.executable, "-c", THERE, *packs]
    done = subprocess.run(command, cwd=packs[0], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folders


def shrink_language(params: Tiny, folder: Path) -> None:
    network = save_model(folder / "model")
    tiny_preferences(params["preferences_gpu"], network, folder / "data")
    tiny_pretraining(params["preferences_gpu"]["pretrain"], folder / "data")
    tiny_finetuning(params["finetuning"], network, folder / "data")
    params["preferences_gpu"]["strong"]["full"]["seeds"] = [0]


def test_the_session_on_molecules_runs_where_little_is_installed(folders: dict[str, Path]) -> None:
    out = folders["molecules"] / "out"
    found = artifacts.read_item(out / "session.json")
    assert list(found["steps"]) == ["device", "trainer", "ours", "pretraining", "features", "heads"]
    assert not any("error" in record for record in found["steps"].values())
    made, read = found["steps"]["pretraining"], found["steps"]["features"]
    losses, features = load_file(out / "losses.safetensors")["losses"], load_file(out / "features.safetensors")
    assert made["steps"] == made["planned_steps"] == len(losses) and made["epochs"] == 1
    assert losses[-5:, 0].mean() < losses[:5, 0].mean()
    assert {name: array.shape for name, array in features.items()} == {"freesolv": (642, 24)}
    assert features["freesolv"].dtype == np.float16 and features["freesolv"].std() > 0.01
    assert read["sha256"] == hashlib.sha256((out / "features.safetensors").read_bytes()).hexdigest()
    ours, trainer = found["steps"]["ours"], found["steps"]["trainer"]
    assert ours["timed_steps"] == trainer["steps"] - throughput.SETTLING > 0 and ours["mfu"] is trainer["mfu"] is None
    tasks = found["steps"]["heads"]
    assert tasks["agree"] and max(tasks["differences"].values()) < 1e-3 and tasks["compared_tasks"] == 8
    assert load_file(out / "tasks.safetensors")["gain"].shape == (20,)


def test_what_travels_is_what_was_prepared(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folders["molecules"]
    given = Bundle(folder / "artifacts/data/molecules_gpu")["corpus"]
    monkeypatch.chdir(folder / "pack")
    found = molecules.corpus()
    for name in ("tokens", "lengths"):
        np.testing.assert_array_equal(getattr(found.sequences, name), given[name])
    assert np.abs(found.descriptors - given["descriptors"]).max() < 0.5 / molecules.GRID + 1 / molecules.GRID


def test_the_session_on_language_models_runs_where_little_is_installed(folders: dict[str, Path]) -> None:
    out = folders["language"] / "out"
    found = artifacts.read_item(out / "session.json")
    assert list(found["steps"]) == ["device", *SHAPES]
    for name, shape in SHAPES.items():
        record = found["steps"][name]
        assert record["tokens"] == 1536 and record["curve"]["loss"][-1] < record["curve"]["loss"][0]
        features = load_file(out / f"{name}-1.safetensors")
        parts = {f"{one}.{part}" for one in ("pairs", "questions", "sst2") for part in ("truth", "weak", "test")}
        assert (
            set(features) == parts == {key for key, array in features.items() if array.shape == (20, shape["hidden"])}
        )
        assert record["files"] == {f"{name}-1.safetensors": artifacts.sha256(out / f"{name}-1.safetensors")}


def test_a_folder_with_other_files_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds thesis.tex, which is of no session; name a folder that is empty"):
        prepare.prepare("molecules", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_files_stay_below_the_size_that_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "LARGEST", 100)
    arrays = {str(size): np.zeros(size, np.uint8) for size in (60, 40, 1, 99, 30)}
    paths = language.written(arrays, tmp_path, "small")
    assert [sorted(load_file(path)) for path in paths] == [["40", "60"], ["1", "99"], ["30"]]


def test_without_its_device_a_session_stops_at_once(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folders["molecules"] / "pack")
    monkeypatch.setattr("sys.argv", ["run", str(tmp_path / "out")])
    monkeypatch.setenv("W2S_DEVICE", "cuda:99")
    with pytest.raises(InputError, match="W2S_DEVICE is 'cuda:99', but torch"):
        run.main()
    monkeypatch.delenv("W2S_DEVICE")
    with pytest.raises(InputError, match="a session is meant for a GPU; set W2S_DEVICE=cuda"):
        run.main()
    assert not (tmp_path / "out").exists()


def test_a_step_that_fails_leaves_the_others_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = {"device": (9, 1), "ours": (50, 30), "pretraining": (400, 60), "features": (60, 40)}
    table = {name: {"most": most, "least": least} for name, (most, least) in limits.items()}
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("W2S_COMPILE", raising=False)
    monkeypatch.setattr(run, "KEPT_BACK", 5)
    given: dict[str, float] = {}

    def fake(command: list[str], env: dict[str, str], stdout: object, timeout: float, **further: object) -> None:
        name = command[3]
        given[name] = timeout
        assert float(env["W2S_TIME_BUDGET"]) == timeout - 5
        if name == "ours":
            stdout.write("some lines\nRuntimeError: no compiler\n")
        elif name == "pretraining":
            assert env["W2S_COMPILE"] == "0"
            raise subprocess.TimeoutExpired(command, timeout)
        else:
            artifacts.write_json(steps.record_of(name), {"rate": 1 / 3})

    monkeypatch.setattr(run.subprocess, "run", fake)
    (tmp_path / "out").mkdir()
    session = run.Session("molecules", table, tmp_path / "out", run.time.monotonic() + 200, 60)
    assert run.run(session, {}) == ["ours", "pretraining"]
    assert given["device"] == 9 and given["ours"] == 50 and given["features"] == 60
    assert given["pretraining"] == pytest.approx(200 - 40, abs=5)
    found = artifacts.read_item(tmp_path / "out/session.json")["steps"]
    assert found["ours"]["error"] == "RuntimeError: no compiler" and "was stopped" in found["pretraining"]["error"]
    assert "device: rate 0.33333, seconds 0" in capsys.readouterr().out
    last = session._replace(steps={"features": table["features"]}, ends=0.0)
    assert run.run(last, {}) == ["features"]
    found = artifacts.read_item(tmp_path / "out/session.json")["steps"]
    assert found["features"]["error"] == "no time was left for it" and found["device"]["rate"] == 1 / 3
    assert run.run(last, {"code_sha256": "other"}) == ["features"]
    assert list(artifacts.read_item(tmp_path / "out/session.json")["steps"]) == ["features"]
