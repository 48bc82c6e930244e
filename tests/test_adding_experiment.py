"""docs/ADDING.md: its head is applied as the patch it is, its experiment built from its files, and both are run."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from pipeline.core import cells
from tests.conftest import ROOT, Tiny
from tests.test_pipeline import copy_repository

PAGE = (ROOT / "docs/ADDING.md").read_text(encoding="utf-8")
ALL = "import sys; from pipeline.core import stage\nfor verb in sys.argv[2:]: stage.run(verb, sys.argv[1])"
VERBS = ("data", "represent", "weak", "labels", "strong", "evaluate")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return copy_repository(tmp_path)


def run(clone: Path, experiment: str) -> None:
    environment = {"PYTHONPATH": str(clone), "PATH": str(Path(sys.executable).parent), "W2S_WORKERS": "1"}
    command = [sys.executable, "-c", ALL, experiment, *VERBS]
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_head(clone: Path) -> None:
    patch = re.findall(r"```diff\n(.*?)```", PAGE, re.S)[0]
    command = ["git", "apply", "--unidiff-zero", "-"]
    done = subprocess.run(command, cwd=clone, input=patch, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    params = Tiny()
    params["synthetic"]["strong"]["heads"] = ["exact", "ridge"]
    params.write(clone)
    run(clone, "synthetic")
    found = cells.read(clone / "results/synthetic/cells.csv")
    assert set(found["head"]) == {"exact", "ridge"}
    means = found[found["panel"] == "realizable"].groupby("head")[["weak_error", "student_error"]].mean()
    assert (means["student_error"] < means["weak_error"]).all()


def test_an_experiment_on_new_data(clone: Path) -> None:
    home = clone / "pipeline/experiments/diabetes"
    for name in (home / "__init__.py", home / "common/__init__.py"):
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_text('"""Diabetes."""\n')
    files = dict(re.findall(r"`(pipeline/experiments/diabetes/[\w/]+\.py)`\n\n```python\n(.*?)```", PAGE, re.S))
    assert {Path(name).stem for name in files} == {*VERBS, "settings"}
    for name, code in files.items():
        (clone / name).write_text(code)
    params = YAML().load(clone / "params.yaml")
    block = next(text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S) if text.startswith("diabetes:"))
    params |= YAML().load(block)
    params["studies"].append("diabetes")
    params.write(clone)
    run(clone, "diabetes")
    found = cells.read(clone / "results/diabetes/cells.csv")
    np.testing.assert_allclose(found["misfit"] - found["gain"], 2 * found["cross_term"], atol=1e-9)
    assert len(found) == 3 and (found["student_error"] > 0).all()
