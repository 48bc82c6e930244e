"""A fresh run against the results that came: silent where equal, and exact about what differs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline import reference, verify
from pipeline.core import artifacts, config, experiments
from pipeline.core.cells import COLUMNS
from pipeline.core.errors import InputError
from tests.clones import commit, git
from tests.conftest import ROOT, Tiny

CELLS = Path("results/synthetic/cells.csv")
FIGURE = Path("paper_figures/charikar_fig2a.json")
CLAIM = {"id": "equality", "experiment": "synthetic", "measured": 0.9, "interval": [0.8, 1.0], "verdict": "holds"}


@pytest.fixture(params=["clone", "archive"])
def repository(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one table, one figure and two claims, with and without a history."""
    monkeypatch.chdir(tmp_path)
    Tiny().write(tmp_path)
    cells = pd.DataFrame({column: [1.5, 2.0, 3.0] for column in COLUMNS})
    artifacts.write_cells(CELLS, cells.assign(panel="realizable", split=["122", "122", "123"], seed=[0, 1, 2]))
    artifacts.write_json(FIGURE, {"reading": "about 3", "protocols": [{"gain": [1.0, 3.0]}, {"gain": [2.0, None]}]})
    artifacts.write_json(verify.JUDGED, [CLAIM, CLAIM | {"id": "rule", "experiment": "counterexample"}])
    if request.param == "clone":
        git(tmp_path, "init", "-q")
        commit(tmp_path, "results")
    reference.keep()
    return tmp_path


def edit_cells(**values: Any) -> None:
    cells = pd.read_csv(CELLS)
    for column, value in values.items():
        cells.loc[1, column] = value
    artifacts.write_cells(CELLS, cells)


def edit_json(path: Path, change: Callable[[Any], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    artifacts.write_json(path, document)


def lines(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())


def test_equal_results_pass(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verify.main()
    assert set(lines(capsys).values()) == {"same bytes"}


def test_rounding_passes_and_is_told(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit_cells(gain=2.0 * (1 + 1e-6))
    edit_json(FIGURE, lambda figure: figure["protocols"][0]["gain"].__setitem__(1, 3.000001))
    edit_json(FIGURE, lambda figure: figure.update(reading="about 3.1"))
    verify.main()
    told = lines(capsys)
    assert told[str(CELLS)].startswith("within the tolerance: 1 values differ, at worst by")
    assert told[str(FIGURE)].endswith("(protocols[].gain[])")


DIFFERENCES: dict[str, tuple[Callable[[], object], Path, str]] = {
    "number": (lambda: edit_cells(gain=2.5), CELLS, "gain, line 3 (panel realizable, dataset 2, split 122"),
    "size": (lambda: edit_cells(gain=2.5), CELLS, "2.5 against 2.0, 0.5 apart where"),
    "name": (lambda: edit_cells(panel="perturbed"), CELLS, "panel, line 3 (panel realizable"),
    "gap": (lambda: edit_cells(rho=None), CELLS, "rho, line 3 (panel realizable"),
    "rows": (lambda: artifacts.write_cells(CELLS, pd.read_csv(CELLS)[:2]), CELLS, "2 rows, 24 columns against 3 rows"),
    "table": (CELLS.unlink, CELLS, "is missing; run `dvc repro`"),
    "figure": (
        lambda: edit_json(FIGURE, lambda figure: figure["protocols"][1]["gain"].__setitem__(0, 2.5)),
        FIGURE,
        "protocols[].gain[], protocols[1].gain[0]: 2.5 against 2.0",
    ),
    "shape": (
        lambda: edit_json(FIGURE, lambda figure: figure["protocols"][1]["gain"].pop()),
        FIGURE,
        "protocols[1].gain[1]: (absent) against None",
    ),
    "words": (
        lambda: edit_json(FIGURE, lambda figure: figure.update(reading="below 3")),
        FIGURE,
        "reading: below # against about #",
    ),
    "verdict": (
        lambda: edit_json(verify.JUDGED, lambda claims: claims[0].update(verdict="fails")),
        verify.JUDGED,
        "[equality].verdict: fails against holds",
    ),
    "exact": (
        lambda: edit_json(verify.JUDGED, lambda claims: claims[1].update(measured=0.9000000001)),
        verify.JUDGED,
        "[rule].measured, [rule].measured: 0.9000000001 against 0.9, 1e-10 apart",
    ),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_names_file_column_and_cell(
    name: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, path, expected = DIFFERENCES[name]
    change()
    with pytest.raises(InputError, match=f"1 of 3 files of results differ .* first {path};"):
        verify.main()
    told = lines(capsys)
    assert expected in told[str(path)]
    assert sorted(told.values())[-2:] == ["same bytes", "same bytes"]


ESTIMATE = {"value": 0.9, "low": 0.8, "high": 1.0, "n": 5}


@pytest.fixture
def trained(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same results, of an experiment whose libraries amplify rounding, with estimates in the figure."""
    monkeypatch.setattr(verify, "_reason", lambda name: ("training",) if name == "synthetic" else ())
    document = {"reading": "above", "groups": [{"dataset": "esol", "gain": ESTIMATE, "points": [1.0, 2.0]}]}
    artifacts.write_json(FIGURE, document)
    artifacts.write_json(verify.JUDGED, [CLAIM | BAND, CLAIM | BAND | {"id": "edge", "expected": {"low": 0.78}}])
    if (repository / ".git").exists():
        commit(repository, "other results")
    else:
        shutil.rmtree(reference.KEPT)
        reference.keep()
    return repository


BAND = {"expected": {"low": 0.5}, "n": 5}


def test_estimates_within_the_inner_half_pass_whatever_the_cells_do(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit_cells(gain=2.5)
    edit_json(FIGURE, lambda figure: figure["groups"][0].update(gain=ESTIMATE | {"value": 0.94}, points=[1.0, 5.0]))
    edit_json(verify.JUDGED, lambda claims: claims[1].update(measured=0.87, verdict="inconclusive"))
    verify.main()
    told = lines(capsys)
    assert "judged by their estimates" in told[str(CELLS)]
    assert "1 estimates in the inner half of their intervals, at worst 0.8 of it (groups[0].gain" in told[str(FIGURE)]
    assert told[str(verify.JUDGED)].endswith("1 borderline verdicts turned (edge)")


BEYOND: dict[str, tuple[Callable[[], object], Path, str]] = {
    "estimate": (
        lambda: edit_json(FIGURE, lambda figure: figure["groups"][0].update(gain=ESTIMATE | {"value": 0.96})),
        FIGURE,
        "DIFFERS in 1 of 1 estimates, which leave the inner half of their interval, first groups[0].gain: 0.96",
    ),
    "gone": (lambda: edit_json(FIGURE, lambda figure: figure["groups"].clear()), FIGURE, "DIFFERS in 1 of 1 estimates"),
    "name": (
        lambda: edit_json(FIGURE, lambda figure: figure["groups"][0].update(dataset="lipop")),
        FIGURE,
        "lipop against esol",
    ),
    "verdict": (
        lambda: edit_json(verify.JUDGED, lambda claims: claims[0].update(verdict="fails")),
        verify.JUDGED,
        "DIFFERS in 1 verdicts, first equality: fails against holds",
    ),
    "measured": (
        lambda: edit_json(verify.JUDGED, lambda claims: claims[0].update(measured=0.96)),
        verify.JUDGED,
        "first [equality]: 0.96 against 0.9",
    ),
    "row": (lambda: edit_cells(panel="perturbed"), CELLS, "perturbed against realizable"),
}


@pytest.mark.parametrize("name", BEYOND)
def test_what_leaves_the_inner_half_is_named(name: str, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, path, expected = BEYOND[name]
    change()
    with pytest.raises(InputError, match=f"1 of 3 files of results differ .* first {path};"):
        verify.main()
    assert expected in lines(capsys)[str(path)]


def test_a_damaged_table_is_named(repository: Path) -> None:
    CELLS.write_bytes(b"")
    with pytest.raises(InputError, match=r"results/synthetic/cells.csv cannot be read"):
        verify.main()


def test_without_any_reference_nothing_is_vouched_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    artifacts.write_json(verify.JUDGED, [])
    with pytest.raises(InputError, match="no results to compare with"):
        verify.main()


def test_every_experiment_and_study_states_one_level_with_its_reason() -> None:
    params = ROOT / "params.yaml"
    for name in (*config.experiments(params), *experiments.studies(params)):
        cells, estimates = (experiments.beside_evaluate(name, what, params) for what in ("TOLERANCE", "ESTIMATES"))
        assert bool(cells) != bool(estimates), name
        if cells:
            allowed = verify.Tolerance(*cells)
            assert allowed.relative > 0 and allowed.reason
        else:
            assert all(estimates)
