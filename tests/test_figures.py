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
from pipeline.summary import low_sample, molecules, panels, realizability, selection, tables
from pipeline.summary.estimates import plain
from pipeline.summary.figures import FIGURES
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
    folder = toy_cells.repository(tmp_path_factory.mktemp("drawn"), toy_cells.everything())
    finished = run("figures", folder)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    return folder


def test_without_the_study_the_main_cells_are_drawn(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = realizability.realizability({"synthetic": toy_cells.synthetic()}, SETTINGS)
    assert not numbers["study_published"] and not numbers["grid"] and len(numbers["main"]) == 3
    monkeypatch.chdir(drawn)
    figures.draw({"charikar_realizability": numbers}, tmp_path)
    assert (tmp_path / "charikar_realizability.png").exists()


def names(folder: Path) -> list[str]:
    """Figures whose experiment or published study is among the folder's."""
    sources = {
        *config.experiments(folder / "params.yaml"),
        *(f"published/{path.name}" for path in folder.glob("published/*")),
    }
    return [name for name, figure in FIGURES.items() if figure.experiment in sources]


def test_every_figure_is_drawn_and_not_blank(drawn: Path) -> None:
    expected = {f"{name}.{suffix}" for name in names(drawn) for suffix in ("json", "pdf", "png")}
    assert {path.name for path in (drawn / "paper_figures").iterdir()} == expected
    for name in names(drawn):
        picture = image.imread(drawn / "paper_figures" / f"{name}.png")[..., :3]
        share = float((picture.min(axis=-1) < 0.9).mean())
        assert 0.005 < share < 0.5, f"{name}: {share:.1%} of the picture is drawn on"


def test_drawn_numbers_are_those_of_the_summaries(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(drawn)
    for name, numbers in figures.compute(tables.read(config.experiments()), config.intervals()).items():
        assert json.loads((drawn / "paper_figures" / f"{name}.json").read_text()) == numbers


def test_same_numbers_give_the_same_bytes(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(drawn)
    monkeypatch.setenv("W2S_WORKERS", "1")
    before = {path.name: path.read_bytes() for path in (drawn / "paper_figures").iterdir()}
    again = {name: json.loads(before[f"{name}.json"]) for name in ("charikar_fig2b", "charikar_selection")}
    figures.draw(again, tmp_path)
    for path in tmp_path.glob("charikar*"):
        assert path.read_bytes() == before[path.name], path.name


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


def test_a_failing_notebook_is_one_line_and_leaves_earlier_figures(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = toy_cells.repository(tmp_path, {"results/synthetic": toy_cells.synthetic(seeds=(0,))})
    source = folder / "notebooks/charikar_synthetic.ipynb"
    notebook = nbformat.read(source, as_version=4)
    notebook.cells[-1].source = "raise ValueError('no ink')"
    nbformat.write(notebook, source)
    monkeypatch.chdir(folder)
    numbers = json.loads((drawn / "paper_figures/charikar_fig2a.json").read_text())
    monkeypatch.setattr(figures, "compute", lambda cells, settings: {"charikar_fig2a": numbers})
    with pytest.raises(InputError, match="notebooks/charikar_synthetic.ipynb: ValueError: no ink; [^\n]*$"):
        figures.main()
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


def test_selection_regret_by_hand() -> None:
    cells = toy_cells.molecules()
    numbers = selection.figure({"molecules": cells}, SETTINGS)
    esol = next(item for item in numbers["datasets"] if item["dataset"] == "esol")
    chosen = cells.query(
        "dataset == 'esol' and ladder == 'smiles' and regime == 'full' and head == 'adamw' and inputs == 'same'"
    )
    for prefix, sample in (("", "test"), ("valid_", "valid")):
        expected = []
        for _, draw in chosen.groupby("split"):
            picked = (draw[f"{prefix}weak_error"] - draw[f"{prefix}misfit"]).idxmin()
            expected.append(draw.loc[picked, "student_error"] - draw["student_error"].min())
        entry = next(e for e in esol["regrets"] if (e["rule"], e["sample"]) == ("smallest_difference", sample))
        np.testing.assert_allclose(entry["values"], expected, rtol=1e-5, atol=1e-12)
        assert entry["mean"]["value"] == pytest.approx(np.mean(expected), rel=1e-5)
    row = esol["table"][0]
    small = chosen[chosen["weak_size"] == row["size"]]
    assert row["difference"]["mean"] == pytest.approx((small["weak_error"] - small["misfit"]).mean(), rel=1e-5)
    assert row["student_error"]["deviation"] == pytest.approx(small["student_error"].std(), rel=1e-5)


def test_low_sample_pairs_meet_both_ways() -> None:
    cells = toy_cells.molecules()
    numbers = low_sample.figure({"molecules": cells}, SETTINGS)
    pair = numbers["datasets"][0]["pairs"][1]
    assert (pair["small"], pair["large"], pair["training"], pair["counts"]) == (
        "smiles-8",
        "smiles-96",
        "finetuned",
        [10, 100],
    )
    chosen = cells.query("dataset == 'esol' and regime == 'few' and training == 'finetuned' and n_train == 10")
    taught = chosen.query("weak == 'smiles-96' and strong == 'smiles-8'")
    assert pair["student"]["small"][0]["value"] == pytest.approx(
        np.exp(np.log(taught["student_error"]).mean()), rel=1e-5
    )
    assert pair["gain_over_misfit"]["large_teaches"][0]["value"] == pytest.approx(
        taught["gain"].mean() / taught["misfit"].mean(), rel=1e-5
    )


def test_published_molecules_are_drawn_beside() -> None:
    cells = toy_cells.molecules()
    alone = molecules.molecules({"molecules": cells}, "esol", SETTINGS)
    assert not alone["study_published"] and not alone["study"]
    study = cells.assign(training="finetuned")
    beside = molecules.molecules({"molecules": cells, "published/molecules_study": study}, "esol", SETTINGS)
    assert beside["study_published"] and beside["study"][0]["ladders"] and beside["protocols"] == alone["protocols"]
