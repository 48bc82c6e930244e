"""The manifest of the papers' objects: complete rows, pointers that lead somewhere, one line for what does not."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline import objects, readme
from pipeline.core.errors import InputError
from tests.conftest import ROOT

ROW = {
    "object": "Figure 2a",
    "shows": "gain against misfit",
    "status": "regenerated",
    "command": "python -m pipeline.figures charikar_fig2a",
}


def read(folder: Path, **changes: Any) -> dict[str, list[objects.Object]]:
    """The row with changes, as a manifest of its own."""
    YAML().dump({"charikar2024": [{**ROW, **changes}]}, folder / "objects.yaml")
    return objects.read(folder / "objects.yaml")


def test_every_pointer_of_the_repository_leads_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    listed = objects.read()
    assert [*objects.dangling(listed)] == []
    names = [(paper, item.object) for paper, rows in listed.items() for item in rows]
    assert len(names) == len(set(names)) == objects.counts(listed).total() >= 25


def test_readme_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert objects.counted(objects.read()) in readme.current(Path("README.md"))["objects"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"files": ["paper_figures/none.pdf"]}, "there is no file paper_figures/none.pdf"),
        ({"claims": ["identity", "none"]}, "there is no claim none"),
        ({"tests": ["tests/test_theory.py::test_none"]}, "there is no test tests/test_theory.py::test_none"),
        ({"tests": ["tests/none.py::test_hand_values"]}, "there is no test tests/none.py::test_hand_values"),
        ({"command": "python -m pipeline.figures fig9"}, "the command `python -m pipeline.figures fig9` names"),
        ({"command": "python -m pipeline.study none"}, "the command `python -m pipeline.study none` names"),
        ({"command": "pytest tests/none.py"}, "the command `pytest tests/none.py` names"),
        ({"command": "make coffee"}, "the command `make coffee` names"),
    ],
)
def test_a_pointer_that_leads_nowhere_is_named(
    changes: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    (fault,) = objects.dangling(read(tmp_path, **changes))
    assert fault.startswith("objects.yaml: charikar2024, Figure 2a: ") and message in fault


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "done"}, "charikar2024[0].status is 'done'"),
        ({"status": "substituted"}, "charikar2024[0].reason is ''; say what is missing"),
        ({"command": None}, "charikar2024[0].command is None; give the command"),
        ({"status": "not run", "reason": "No data."}, "nowhere else"),
        ({"page": 3}, "charikar2024[0].page is not a known key"),
    ],
)
def test_an_incomplete_row_is_one_line(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, **changes)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_manifest_of_another_form_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "objects.yaml").write_text("charikar2024: 3\n")
    with pytest.raises(InputError, match="charikar2024 is no list of objects; restore it"):
        objects.read(tmp_path / "objects.yaml")


def test_the_command_prints_each_with_its_status() -> None:
    done = subprocess.run([sys.executable, "-m", "pipeline.objects"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    listed = objects.read(ROOT / "objects.yaml")
    assert all(item.object in done.stdout for rows in listed.values() for item in rows)
    assert objects.counted(listed) in done.stdout
