"""Every bad input ends in one line that names it and says what to do; what was there before stays as it was."""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import CASES, GROUPS
from PIL import Image

from pipeline import appendix, claims, figures, publish, readme, reference, report, reproduce, verify
from pipeline.core import artifacts, stage
from pipeline.core.errors import command_line
from pipeline.figures import FIGURES
from pipeline.figures import __main__ as drawn
from pipeline.summary import tables
from tests import toy_cells
from tests.conftest import ROOT, Tiny
from tests.tiny_language import save_model, tiny_preferences

MODULES = {module.__name__.rpartition(".")[2]: module for module in (appendix, claims, publish, readme, report)}
MODULES |= {"figures": drawn, "reproduce": reproduce, "verify": verify}
KEPT = ("results", "paper_figures", "published", "artifacts", "report", "README.md")


def test_the_corpus_is_not_small() -> None:
    assert len(CASES) == sum(map(len, GROUPS)) >= 80 and len({case.words for case in CASES.values()}) > 70


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tiny repository with something in every place: data, artefacts, caches, cells, figures, claims, lock."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("W2S_WORKERS", "1")
        toy_cells.repository(folder, toy_cells.everything())
        settings(folder)
        for name in ("README.md", "docs/ARTIFACT.md", "docs/measured.json", "dvc.yaml", "dvc.lock", ".dvc/config"):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        for experiment, verbs in {"synthetic": ("data", "represent"), "preferences": ("data", "represent")}.items():
            for verb in verbs:
                stage.run(verb, experiment)
        fill(folder)
        yield folder


def settings(folder: Path) -> None:
    """Tiny params.yaml and the data it names."""
    shutil.copytree(ROOT / "data", folder / "data", ignore=shutil.ignore_patterns("preferences"))
    params = Tiny()
    params["synthetic"]["data"].update(seeds=[0], tasks=3)
    params["synthetic"]["represent"]["epochs"] = 2
    params["intervals"]["resamples"] = 100
    tiny_preferences(params["preferences"], save_model(folder / "model"), folder / "data")
    (folder / "params.yaml").unlink(missing_ok=True)
    params.write(folder)


def fill(folder: Path) -> None:
    """Stand-ins for what takes long: a finished unit of an unfinished stage, pictures, claims, metrics."""
    unit = stage._partial("represent", stage.experiments.load("synthetic")) / "seed-0-weak.safetensors"
    artifacts.write_arrays(unit, {"x": np.ones(3)})
    for name in ("synthetic", "kl"):
        artifacts.write_json(Path(f"results/{name}/metrics.json"), {})
    cells = tables.read(stage.config.experiments())
    for name, numbers in figures.compute(FIGURES, cells, stage.config.intervals()).items():
        artifacts.write_json(artifacts.FIGURES / f"{name}.json", numbers)
        Image.new("RGB", (3, 2), "white").save(artifacts.FIGURES / f"{name}.png")
    claims.main()
    for study in sorted(path.name for path in artifacts.PUBLISHED.iterdir()):
        written = {"study": study, "params": stage.experiments.load(study).settings.model_dump(mode="json")}
        artifacts.write_json(publish.folder(study) / "manifest.json", written)
    reference.keep()


@pytest.fixture
def repository(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, of hard links, so that it takes no time; the spoiling of a case never writes in place."""
    shutil.copytree(made, tmp_path / "copy", copy_function=os.link)
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("W2S_WORKERS", "1")
    return tmp_path / "copy"


def entry_point(command: str) -> Callable[[], None]:
    """What `python -m pipeline.<command>` runs."""
    name = command.split()[0]
    return (lambda: command_line(MODULES[name].main)) if name in MODULES else (lambda: stage.main(name))


def state(folder: Path) -> dict[str, str]:
    """sha256 of every result and finished artefact."""
    files = [path for name in KEPT for path in [folder / name, *(folder / name).rglob("*")] if path.is_file()]
    passing = ("partial", "datasets", "runtime", "features")
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not set(passing) & set(path.relative_to(folder).parts)
    }


@pytest.mark.parametrize("name", CASES)
def test_a_bad_input_is_one_line(
    name: str, repository: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name]
    case.spoil()
    before = state(repository)
    monkeypatch.setattr(sys, "argv", [f"pipeline.{case.command.split()[0]}", *case.command.split()[1:]])
    if case.command == "figures":  # one is enough
        monkeypatch.setattr(figures, "FIGURES", {"charikar_fig2a": FIGURES["charikar_fig2a"]})
    if name == "workers":
        monkeypatch.setenv("W2S_WORKERS", "many")
    with pytest.raises(SystemExit) as ended:
        entry_point(case.command)()
    line = ended.value.code
    assert isinstance(line, str) and line.startswith("error: ") and "\n" not in line, line
    assert [words for words in case.words if words not in line] == [], line
    assert capfd.readouterr().err == ""
    assert state(repository) == before
