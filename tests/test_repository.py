"""What a newcomer reads and installs agrees with what is there."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution

import pytest
from conftest import ROOT
from packaging.specifiers import SpecifierSet
from ruamel.yaml import YAML


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def direct() -> set[str]:
    """Direct dependencies of the artifact, those of the package among them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {normal(name) for name in project["optional-dependencies"]["artifact"]}
    assert {normal(name) for name in project["dependencies"]} <= needed
    return needed


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return dict(
        (normal(name), version) for name, version in (line.split("==") for line in lines if line and line[0] != "#")
    )


def test_lock_pins_every_direct_dependency() -> None:
    assert direct() <= set(locked())


def test_every_pin_installs_on_the_oldest_python_that_is_named() -> None:
    """A machine with 3.11.2 is not helped by a release for 3.11.5 on."""
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest = f"{named.removeprefix('>=')}.0"
    wanted = {name: distribution(name).metadata.get("Requires-Python") for name in locked()}
    assert {name: needed for name, needed in wanted.items() if needed and oldest not in SpecifierSet(needed)} == {}


def test_environment_and_lock_agree() -> None:
    environment = YAML(typ="safe").load(ROOT / "environment.yml")
    pip = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    pinned = {normal(name): version for name, version in (line.split("==") for line in pip)}
    assert set(pinned) == direct()
    assert {name: locked()[name] for name in pinned} == pinned


def test_the_code_is_lint_free() -> None:
    done = subprocess.run([sys.executable, "-m", "ruff", "check", ROOT], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_types_agree() -> None:
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_commands_of_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:`|    )make ([a-z]+)", text)) <= targets
    modules = re.findall(r"python -m (pipeline\.[a-z]+)", text)
    places = [ROOT / name.replace(".", "/") for name in modules]
    assert places and all(place.with_suffix(".py").exists() or (place / "__main__.py").exists() for place in places)
    for path in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / path).exists(), path


def test_notebooks_hold_no_output() -> None:
    import json

    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells), path.name


@pytest.mark.parametrize("study", sorted(path.name for path in (ROOT / "published").glob("*")))
def test_a_published_snapshot_is_of_the_settings_in_params(study: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.publish import stale

    monkeypatch.chdir(ROOT)
    assert not stale(study)


def test_the_counterexample_in_the_docs_prints_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs/THEORY.md").read_text()
    exec(compile(re.findall(r"```python\n(.*?)```", text, re.S)[0], "docs/THEORY.md", "exec"), {})
    assert f"prints `{capsys.readouterr().out.strip()}`" in text
