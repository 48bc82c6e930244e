"""Figures: numbers against cells, pictures against numbers, same bytes, clean notebooks, nothing lost on an error."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib import image

from pipeline import figures
from pipeline.core import config
from pipeline.core.errors import InputError
from pipeline.summary import panels, tables
from pipeline.summary.charikar import FIGURES
from pipeline.summary.estimates import plain
from pipeline.theory.intervals import Estimate
from tests import toy_cells
from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SETTINGS = config.Intervals(confidence=0.95, resamples=100, seed=0)


def run(stage: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """One entry point in a folder, as a user starts it."""
    command = [sys.executable, "-m", f"pipeline.{stage}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `python -m pipeline.figures` has run on toy cells."""
    cells = {"results/synthetic": toy_cells.synthetic(), "published/realizability": toy_cells.realizability()}
    folder = toy_cells.repository(tmp_path_factory.mktemp("drawn"), cells)
    finished = run("figures", folder)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    return folder


def test_without_the_study_the_main_cells_are_drawn(tmp_path: Path) -> None:
    folder = toy_cells.repository(tmp_path, {"results/synthetic": toy_cells.synthetic()})
    for path in (folder / "notebooks").glob("charikar_synthetic.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[-1].source = ""
        nbformat.write(notebook, path)
    finished = run("figures", folder)
    assert (finished.returncode, finished.stderr) == (0, "")
    numbers = json.loads((folder / "paper_figures/charikar_realizability.json").read_text())
    assert not numbers["study_published"] and not numbers["grid"] and len(numbers["main"]) == 3
    assert (folder / "paper_figures/charikar_realizability.png").exists()


def names(folder: Path) -> list[str]:
    """Figures whose experiment is among the folder's."""
    return [name for name, figure in FIGURES.items() if figure.experiment in config.experiments(folder / "params.yaml")]


def test_every_figure_is_drawn_and_not_blank(drawn: Path) -> None:
    expected = {f"{name}.{suffix}" for name in names(drawn) for suffix in ("json", "pdf", "png")}
    assert {path.name for path in (drawn / "paper_figures").iterdir()} == expected
    for name in names(drawn):
        picture = image.imread(drawn / "paper_figures" / f"{name}.png")[..., :3]
        share = float((picture.min(axis=-1) < 0.9).mean())
        assert 0.005 < share < 0.5, f"{name}: {share:.1%} of the picture is drawn on"


def test_drawn_numbers_are_those_of_the_summaries(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(drawn)
    for name, numbers in figures.compute(tables.read(["synthetic"]), config.intervals()).items():
        assert json.loads((drawn / "paper_figures" / f"{name}.json").read_text()) == numbers


def test_same_numbers_give_the_same_bytes(drawn: Path) -> None:
    before = {path.name: path.read_bytes() for path in (drawn / "paper_figures").iterdir()}
    assert run("figures", drawn).returncode == 0
    assert {path.name: path.read_bytes() for path in (drawn / "paper_figures").iterdir()} == before


def test_pictures_leak_neither_paths_nor_dates(drawn: Path) -> None:
    for path in (drawn / "paper_figures").iterdir():
        content = path.read_bytes()
        for trace in (b"CreationDate", str(drawn).encode(), str(ROOT).encode(), b"/tmp/"):
            assert trace not in content, f"{path.name} holds {trace!r}"


@pytest.mark.parametrize("spoil", ["column", "number", "file"])
def test_incomplete_cells_are_one_line_and_leave_earlier_figures(
    spoil: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = toy_cells.repository(tmp_path, {"results/synthetic": toy_cells.synthetic()})
    (folder / "paper_figures").mkdir()
    earlier = folder / "paper_figures" / "charikar_fig2a.png"
    earlier.write_bytes(b"earlier")
    cells = folder / "results/synthetic/cells.csv"
    if spoil == "column":
        pd.read_csv(cells).drop(columns="misfit").to_csv(cells, index=False)
    elif spoil == "number":
        pd.read_csv(cells).assign(gain=np.nan).to_csv(cells, index=False)
    else:
        cells.unlink()
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match="^results/synthetic/cells.csv[^\n]*(restore|git checkout)[^\n]*$"):
        figures.main()
    assert earlier.read_bytes() == b"earlier" and len(list(earlier.parent.iterdir())) == 1


def test_a_failing_notebook_is_one_line_and_leaves_earlier_figures(drawn: Path, tmp_path: Path) -> None:
    folder = toy_cells.repository(tmp_path, {"results/synthetic": toy_cells.synthetic()})
    for path in (folder / "notebooks").glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[-1].source = "raise ValueError('no ink')"
        nbformat.write(notebook, path)
    finished = run("figures", folder)
    assert finished.returncode == 1 and finished.stderr.count("\n") == 1 and "no ink" in finished.stderr
    assert not (folder / "paper_figures").exists()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stripped(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert notebook.metadata == {"kernelspec": kernel, "language_info": {"name": "python"}}
    for place, cell in enumerate(notebook.cells):
        assert cell.id == f"cell-{place}"
        assert cell.metadata in ({}, {"tags": ["parameters"]})
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
    assert path.read_text() == nbformat.writes(notebook, indent=1) + "\n"


def test_every_figure_has_a_notebook_and_every_notebook_a_figure() -> None:
    assert {figure.notebook for figure in FIGURES.values()} == {path.stem for path in NOTEBOOKS}
    for path in NOTEBOOKS:
        source = path.read_text()
        assert all(name in source for name, figure in FIGURES.items() if figure.notebook == path.stem)


def test_panel_numbers_against_the_cells() -> None:
    cells = toy_cells.synthetic()
    numbers = panels.panel(cells, "pretrained", SETTINGS)
    first = numbers["protocols"][0]
    assert (first["head"], first["inputs"]) == ("adamw", "reused")
    chosen = cells.query("panel == 'pretrained' and head == 'adamw' and inputs == 'reused' and seed == 1")
    drawn = next(seed for seed in first["seeds"] if seed["seed"] == 1)
    np.testing.assert_allclose(drawn["gain"], chosen["gain"], rtol=1e-5)
    assert drawn["correlation"]["value"] == pytest.approx(np.corrcoef(chosen["gain"], chosen["misfit"])[0, 1], rel=1e-5)
    assert drawn["correlation"]["low"] <= drawn["correlation"]["value"] <= drawn["correlation"]["high"]
    ratios = cells.query("panel == 'pretrained' and head == 'adamw' and inputs == 'reused'").groupby("seed")
    mean = np.mean([group["gain"].mean() / group["misfit"].mean() for _, group in ratios])
    assert first["over_seeds"]["gain_over_misfit"]["value"] == pytest.approx(mean, rel=1e-5)


def test_far_points_are_counted_not_hidden() -> None:
    numbers = panels.panel(toy_cells.synthetic(), "pretrained", SETTINGS)
    outside = {(group["head"], group["inputs"]): group["outside"] for group in numbers["protocols"]}
    assert outside["adamw", "reused"] == 0 and outside["exact", "fresh"] >= 1
    assert numbers["limits"]["misfit"][1] < 5


def test_one_seed_has_no_interval_over_seeds() -> None:
    numbers = panels.panel(toy_cells.synthetic(seeds=(0,)), "perturbed", SETTINGS)
    mean = numbers["protocols"][0]["over_seeds"]["correlation"]
    assert mean["low"] is None and mean["high"] is None and mean["n"] == 1


def test_plain_has_six_digits_and_no_infinity() -> None:
    assert plain({"x": (np.float64(1.23456789), np.int64(3), np.nan)}) == {"x": [1.23457, 3, None]}
    assert plain(Estimate(1.0, -np.inf, np.inf, 1)) == {"value": 1.0, "low": None, "high": None, "n": 1}
