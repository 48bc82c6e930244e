"""Figures: numbers against cells, pictures against numbers, same bytes, clean notebooks, nothing lost on an error."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib import image
from matplotlib.text import Text

from pipeline import figures
from pipeline.core import artifacts, config
from pipeline.core.errors import InputError
from pipeline.figures import (
    FIGURES,
    __main__,
    charikar_low_sample,
    charikar_molecules,
    charikar_realizability,
    charikar_selection,
    charikar_synthetic,
    drawing,
)
from pipeline.summary import tables
from pipeline.summary.estimates import plain
from pipeline.theory.intervals import Estimate, over_units
from tests import toy_cells
from tests.conftest import CONDITIONS, ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SETTINGS = config.Intervals(confidence=0.95, resamples=100, seed=0)
SMALLEST, PAGE = 8, 7  # points of text, and inches across a page


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Toy cells, and the numbers of every figure computed from them."""
    folder = toy_cells.repository(tmp_path_factory.mktemp("toy"), toy_cells.everything())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        cells = tables.read(config.experiments())
        for name, numbers in figures.compute(figures.drawable(cells), cells, config.intervals()).items():
            artifacts.write_json(artifacts.FIGURES / f"{name}.json", numbers)
    return folder


def test_every_figure_has_numbers(toy: Path) -> None:
    assert {path.stem for path in (toy / "paper_figures").iterdir()} == set(FIGURES)
    for path in (toy / "paper_figures").iterdir():
        numbers = json.loads(path.read_text())
        assert numbers["figure"] == path.stem and numbers["reading"] and numbers["confidence"] == 0.95


@pytest.mark.parametrize("path", sorted((ROOT / "paper_figures").glob("*.json")), ids=lambda path: path.stem)
def test_a_figure_is_not_blank_and_its_texts_are_large_enough_and_whole(path: Path, tmp_path: Path) -> None:
    drawing.use_style()
    picture = FIGURES[path.stem].draw(json.loads(path.read_text()))
    png = drawing.save(picture, tmp_path / path.stem)
    width, height = picture.get_size_inches()
    sizes = {text.get_text(): text.get_fontsize() * min(1, PAGE / width) for text in picture.findobj(Text)}
    assert {text: size for text, size in sizes.items() if text.strip() and size < SMALLEST} == {}
    edges = picture.get_tightbbox()
    assert max(-edges.x0, -edges.y0, edges.x1 - width, edges.y1 - height) < 0.015  # inches: a point
    share = float((image.imread(png)[..., :3].min(axis=-1) < 0.9).mean())
    assert 0.005 < share < 0.5, f"{share:.1%} of the picture is drawn on"
    for made in tmp_path.iterdir():
        for trace in (b"CreationDate", str(ROOT).encode(), b"/tmp/"):
            assert trace not in made.read_bytes(), f"{made.name} holds {trace!r}"


def test_the_command_draws_all_that_has_cells(tmp_path: Path) -> None:
    """Notebooks run by papermill, elsewhere: not a word, and the bytes that this process draws."""
    (tmp_path / "zwei Wörter").mkdir()
    folder = toy_cells.repository(tmp_path / "zwei Wörter", {"results/synthetic": toy_cells.synthetic(seeds=(0, 1))})
    command = [sys.executable, "-m", "pipeline.figures"]
    elsewhere = {**os.environ, **CONDITIONS[1]}
    finished = subprocess.run(command, cwd=folder, env=elsewhere, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    names = ("charikar_fig2a", "charikar_fig2b", "charikar_fig2c")
    found = {path.name for path in (folder / "paper_figures").iterdir()}
    assert found == {f"{name}.{suffix}" for name in names for suffix in ("json", "pdf", "png")}
    (folder / "again").mkdir()
    for name in names:
        shutil.copy(folder / f"paper_figures/{name}.json", folder / "again")
        figures.picture(name, folder / "again")
    for path in (folder / "again").iterdir():
        assert path.read_bytes() == (folder / "paper_figures" / path.name).read_bytes(), path.name
    shown = nbformat.read(folder / "notebooks/executed/charikar2024.ipynb", as_version=4).cells[-1].outputs
    assert [next(iter(output.data)) for output in shown] == ["image/png"] * len(names)


def in_process(numbers: dict[str, Any], folder: Path) -> None:
    """What the notebooks do, without them."""
    for name, value in numbers.items():
        artifacts.write_json(folder / f"{name}.json", value)
        figures.picture(name, folder)


def test_a_named_figure_is_drawn_and_others_stay(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(toy, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    before = {path.name: path.read_bytes() for path in Path("paper_figures").iterdir()}
    monkeypatch.setattr(__main__, "draw", in_process)
    monkeypatch.setattr(sys, "argv", ["figures", "yao_bounds"])
    __main__.main()
    after = {path.name: path.read_bytes() for path in Path("paper_figures").iterdir()}
    assert set(after) - set(before) == {"yao_bounds.pdf", "yao_bounds.png"}
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("charikar_fig9", "^there is no figure 'charikar_fig9'; known: aligner, bregman, burns_pgr, charikar_c[^\n]*$"),
        ("yao_bounds", "needs the cells of kl, digits; make [^\n]*`dvc repro evaluate@kl evaluate@digits`"),
        ("burns_pgr", "^figure 'burns_pgr' needs [^\n]* make them with `python -m pipeline.study preferences`$"),
    ],
)
def test_a_figure_that_cannot_be_drawn_is_one_line(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toy_cells.repository(tmp_path, {"results/synthetic": toy_cells.synthetic(seeds=(0,))}))
    with pytest.raises(InputError, match=words):
        __main__.redraw([name])


def test_help_says_how(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["figures", "--help"])
    with pytest.raises(SystemExit, match="0"):
        __main__.main()
    assert "python -m pipeline.figures charikar_fig2b" in capsys.readouterr().out


def test_without_the_study_the_main_cells_are_drawn(tmp_path: Path) -> None:
    numbers = charikar_realizability.numbers({"synthetic": toy_cells.synthetic()}, SETTINGS)
    assert not numbers["study_published"] and not numbers["grid"] and len(numbers["main"]) == 3
    in_process({"charikar_realizability": numbers}, tmp_path)
    assert (tmp_path / "charikar_realizability.png").exists()


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
        __main__.redraw()
    assert earlier.read_bytes() == b"earlier" and len(list(earlier.parent.iterdir())) == 1


def spoilt(how: str) -> str:
    """A notebook that cannot be run."""
    if how == "no notebook":
        return '{"cells": 3}'
    if how == "cut":
        return '{"cells": ['
    notebook = nbformat.read(ROOT / "notebooks/charikar2024.ipynb", as_version=4)
    notebook.cells[-1].source = "raise ValueError('no ink')"
    notebook.metadata = {}  # saved without a kernel, it runs in ours
    if how == "another language":
        notebook.metadata = {"kernelspec": {"name": "ir", "language": "R", "display_name": "R"}}
    return nbformat.writes(notebook)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("error", "charikar2024.ipynb: ValueError: no ink; the executed copy [^\n]* shows where$"),
        ("another language", r"charikar2024.ipynb is for the kernel 'ir' \(R\); choose a Python kernel [^\n]*$"),
        ("no kernel", "charikar2024.ipynb runs in the Jupyter kernel 'none', which is not here; install [^\n]*$"),
        ("no notebook", "charikar2024.ipynb is no notebook [^\n]*; restore it with [^\n]*$"),
        ("cut", "charikar2024.ipynb is no notebook [^\n]*; restore it with [^\n]*$"),
        ("absent", "figures.ipynb is missing; restore it with `git checkout notebooks/figures.ipynb`$"),
    ],
)
def test_a_failing_notebook_is_one_line_and_leaves_earlier_figures(
    how: str, words: str, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = toy_cells.repository(tmp_path, {"results/synthetic": toy_cells.synthetic(seeds=(0,))})
    (folder / "notebooks/charikar2024.ipynb").write_text(spoilt(how))
    if how == "absent":
        for path in (folder / "notebooks").glob("*.ipynb"):
            path.unlink()
    if how == "no kernel":
        monkeypatch.setattr(__main__, "KERNEL", "none")
    monkeypatch.chdir(folder)
    numbers = json.loads((toy / "paper_figures/charikar_fig2a.json").read_text())
    monkeypatch.setattr(__main__, "compute", lambda names, cells, settings: {"charikar_fig2a": numbers})
    with pytest.raises(InputError, match=f"^notebooks/{words}"):
        __main__.redraw()
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


def test_a_notebook_is_a_text_beside_the_same_few_lines() -> None:
    generic = nbformat.read(ROOT / "notebooks/figures.ipynb", as_version=4)
    for path in NOTEBOOKS:
        if path.stem == "own_arrays":  # of no figure; tests/test_assess.py runs it
            continue
        notebook = nbformat.read(path, as_version=4)
        assert notebook.cells[-1].source == generic.cells[-1].source
        if path.stem != "figures":
            names = figures.of_source(path.stem)
            told = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
            assert names and f'of_source("{path.stem}")' in notebook.cells[1].source
            assert all(name in told or re.search(rf"{name[:-1]}[a-z]` to `", told) for name in names), path.stem


def test_the_same_name_in_two_files_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "second.py").write_text("FIGURES = {'yao_bounds': None}")
    monkeypatch.setattr(figures, "__path__", [*figures.__path__, str(tmp_path)])
    with pytest.raises(InputError, match="^figure 'yao_bounds' stands in yao_bounds.py and in second.py; rename one$"):
        figures.found()
    del sys.modules["pipeline.figures.second"]


ENTRY = """
from pipeline.figures import Figure
def numbers(tables, settings): return {{{numbers}}}
def draw(numbers): ...
FIGURES = {{
    "wine_gain": Figure({fields}, caption="c", shows="s", numbers=numbers, draw=draw),
}}
"""
RIGHT = "source='charikar2024', cells=('synthetic',)"
LACKS = "wine_gain' asks for 'gian', which its cells lack: pipeline/figures/wine.py, line 3, `def numbers"


@pytest.mark.parametrize(
    ("fields", "numbers", "words"),
    [
        (
            "source='charikar2024'",
            "",
            'wine.py, line 6, `"wine_gain": Figure.*missing 1 required .*cells.*; a figure has',
        ),
        (RIGHT + ", wrods=str", "", 'wine.py, line 6, `"wine_gain": Figure.*unexpected keyword argument .wrods'),
        ("source='charikar2024', cells=('synthetic')", "", "'wine_gain' in wine.py has cells='synthetic'; .* comma"),
        ("source='charikar2024', cells=()", "", r"'wine_gain' in wine.py has cells=\(\); name at least one"),
        ("source='whine', cells=('synthetic',)", "", "'wine_gain' has source='whine'; sources.yaml has charikar2024, "),
        ("source='charikar2024', cells=('published/whine',)", "", "'wine_gain' has cells of 'published/whine'; choose"),
        ("source='charikar2024', cells=('whine',)", "", "'wine_gain' has cells of 'whine'; choose an experiment"),
        (RIGHT, "'reading': tables['synthetic']['gian']", LACKS),
        (RIGHT, "'gain': 1", "'wine_gain' in wine.py has no words, and its numbers no `reading`"),
    ],
)
def test_a_mistake_in_a_figure_of_ones_own_is_one_line(
    fields: str, numbers: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found when the command asks for figures, not while it is imported."""
    monkeypatch.chdir(toy_cells.repository(tmp_path, {"results/synthetic": toy_cells.synthetic(seeds=(0,))}))
    Path("wine.py").write_text(ENTRY.format(fields=fields, numbers=numbers))
    monkeypatch.setattr(figures, "__path__", [str(tmp_path)])
    sys.modules.pop("pipeline.figures.wine", None)
    lazy = figures._Figures()
    for module in (figures, __main__):
        monkeypatch.setattr(module, "FIGURES", lazy)
    with pytest.raises(InputError, match=words) as error:
        __main__.redraw()
    assert "\n" not in str(error.value)


def test_panel_numbers_against_the_cells() -> None:
    cells = toy_cells.synthetic()
    numbers = charikar_synthetic.numbers("pretrained", {"synthetic": cells}, SETTINGS)
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
    numbers = charikar_synthetic.numbers("pretrained", {"synthetic": toy_cells.synthetic()}, SETTINGS)
    outside = {(group["head"], group["inputs"]): group["outside"] for group in numbers["protocols"]}
    assert outside["adamw", "reused"] == 0 and outside["exact", "fresh"] >= 1
    assert numbers["limits"]["misfit"][1] < 5


def test_one_seed_has_no_interval_over_seeds() -> None:
    numbers = charikar_synthetic.numbers("perturbed", {"synthetic": toy_cells.synthetic(seeds=(0,))}, SETTINGS)
    mean = numbers["protocols"][0]["over_seeds"]["correlation"]
    assert mean["low"] is None and mean["high"] is None and mean["n"] == 1


def test_plain_has_six_digits_and_no_infinity() -> None:
    assert plain({"x": (np.float64(1.23456789), np.int64(3), np.nan)}) == {"x": [1.23457, 3, None]}
    assert plain(Estimate(1.0, -np.inf, np.inf, 1)) == {"value": 1.0, "low": None, "high": None, "n": 1}


def test_selection_regret_by_hand() -> None:
    cells = toy_cells.molecules()
    numbers = charikar_selection.numbers(tables.parted("molecules", cells), SETTINGS)
    esol = next(item for item in numbers["datasets"] if item["dataset"] == "esol")
    ladder = cells.query(
        "dataset == 'esol' and ladder == 'smiles' and regime == 'full' and head == 'ball' and inputs == 'half'"
    )
    ladder = ladder[ladder["control"].isna() & (ladder["seed"] == 0)]
    chosen, marked = ladder.query("panel == 'random'"), ladder.query("panel == 'chembench'")
    for prefix, sample in (("", "test"), ("valid_", "valid")):
        expected = {}
        for panel, group in (("random", chosen), ("chembench", marked)):
            expected[panel] = []
            for _, draw in group.groupby("split"):
                picked = (draw[f"{prefix}weak_error"] - draw[f"{prefix}misfit"]).idxmin()
                expected[panel].append(draw.loc[picked, "student_error"] - draw["student_error"].min())
        entry = next(e for e in esol["regrets"] if (e["rule"], e["sample"]) == ("smallest_difference", sample))
        np.testing.assert_allclose(entry["values"], expected["chembench"], rtol=1e-5, atol=1e-12)
        assert entry["mean"]["value"] == pytest.approx(np.mean(expected["random"]), rel=1e-5)
    row = esol["table"][0]
    small = chosen[chosen["weak_size"] == row["size"]]
    assert row["difference"]["mean"] == pytest.approx((small["weak_error"] - small["misfit"]).mean(), rel=1e-5)
    assert row["student_error"]["deviation"] == pytest.approx(small["student_error"].std(), rel=1e-5)


def test_low_sample_pairs_meet_both_ways() -> None:
    cells = toy_cells.molecules()
    numbers = charikar_low_sample.numbers(tables.parted("molecules", cells), SETTINGS)
    baseline = numbers["datasets"][0]["mean_of_labels"]
    means = cells.query("dataset == 'esol' and regime == 'few' and control == 'constant' and n_train == 10")
    assert baseline["counts"] == [10, 100]
    assert baseline["weak_error"][0]["value"] == pytest.approx(np.exp(np.log(means["weak_error"]).mean()), rel=1e-5)
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
    own = tables.parted("molecules", cells)
    alone = charikar_molecules.numbers("esol", own, SETTINGS)
    assert not alone["study_published"] and not alone["study"]
    study = cells[cells["control"].isna()].assign(training="finetuned")
    beside = charikar_molecules.numbers("esol", own | {charikar_molecules.STUDY: study}, SETTINGS)
    assert beside["study_published"] and beside["study"][0]["ladders"] and beside["protocols"] == alone["protocols"]


def test_molecules_are_means_over_random_splits_with_the_corrected_interval() -> None:
    cells = toy_cells.molecules()
    numbers = charikar_molecules.numbers("lipop", tables.parted("molecules", cells), SETTINGS)
    main = numbers["protocols"][0]
    assert (main["head"], main["inputs"], main["panel"], main["splits"]) == (
        "ball",
        "half",
        "random",
        ["122", "123", "124"],
    )
    rung = main["ladders"][0]["rungs"][0]
    chosen = cells.query(
        "dataset == 'lipop' and panel == 'random' and weak == 'smiles-8' and regime == 'full' and inputs == 'half'"
    )
    gains = chosen.groupby("split")["gain"].mean()  # over both seeds of pretraining
    expected = over_units(gains, 0.95, 0.125)
    assert [rung["over_splits"]["gain"][end] for end in ("value", "low", "high")] == pytest.approx(
        expected[:3], rel=1e-5
    )
    assert [point["split"] for point in rung["splits"]] == ["122", "123", "124"]
    taught = {teacher["control"]: teacher for teacher in numbers["teachers"]}
    assert list(taught) == list(charikar_molecules.TEACHERS)
    control = cells.query("dataset == 'lipop' and control == 'shuffled'")
    share = control["student_error"].mean() / control["truth_variance"].mean()
    assert taught["shuffled"]["student_error"]["value"] == pytest.approx(share, rel=1e-5)
