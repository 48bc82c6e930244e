"""The archive for a GPU machine: what is in it, that it runs there, and its limit."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Tiny

from pipeline import pack, publish
from pipeline.core.errors import InputError
from tests.clones import commit, git

STUDY = "molecules_gpu"


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with the shrunk study alone, whose corpus lies in a mirror."""
    clone, mirror = tmp_path / "clone", tmp_path / "data-mirror"
    for name in ("pipeline", "data"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    (clone / "results").mkdir()
    (clone / "results/large.csv").write_text("0\n" * 1000)
    (mirror / "smiles").mkdir(parents=True)
    (clone / "data/smiles/chembl_subset.txt.xz").rename(mirror / "smiles/small.txt.xz")
    params = Tiny()
    params[STUDY]["data"]["corpus"]["source"]["path"] = "smiles/small.txt.xz"
    for name in [name for name in params.files if STUDY not in name and name.startswith("studies/")]:
        del params.files[name]
    params.write(clone)
    monkeypatch.chdir(clone)
    monkeypatch.setenv("W2S_MIRROR", str(mirror))
    git(clone, "init", "-q")
    commit(clone, "clone")
    return clone


def packed(monkeypatch: pytest.MonkeyPatch, target: Path) -> Path:
    monkeypatch.setattr("sys.argv", ["pack", str(target)])
    pack.main()
    return target


def test_the_archive_runs_where_nothing_else_is(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = packed(monkeypatch, tmp_path / "pack.tar")
    assert f"tar xf pack.tar -C w2s && cd w2s && export W2S_MIRROR={pack.MIRROR}" in capsys.readouterr().out
    first = target.read_bytes()
    assert packed(monkeypatch, target).read_bytes() == first
    there = tmp_path / "there"
    with tarfile.open(target) as archive:
        names = archive.getnames()
        archive.extractall(there, filter="data")
    assert "mirror/smiles/small.txt.xz" in names and not any(name.startswith("results") for name in names)
    environment: dict[str, Any] = {**os.environ, "W2S_MIRROR": "mirror", "W2S_DEVICE": "cpu", "W2S_WORKERS": "1"}
    environment["PYTHONPATH"] = str(there)
    command = [sys.executable, "-m", "pipeline.data", STUDY]
    done = subprocess.run(command, cwd=there, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (there / "artifacts/data/molecules_gpu/corpus.safetensors").exists()
    monkeypatch.chdir(there)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clone, capture_output=True, text=True, check=True).stdout
    assert publish.revision() == head.strip()


def test_too_much_is_refused_by_name(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "LIMIT", 300_000)
    with pytest.raises(InputError, match=r"over the limit of 0\.29 MiB; the biggest are .*helpful_test"):
        packed(monkeypatch, tmp_path / "pack.tar")
    assert not (tmp_path / "pack.tar").exists()


def test_a_file_that_is_not_the_recorded_one_is_not_packed(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data-mirror/smiles/small.txt.xz").write_bytes(b"x")
    with pytest.raises(InputError, match="is truncated or altered"):
        packed(monkeypatch, tmp_path / "pack.tar")
