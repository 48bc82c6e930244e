"""`pipeline.show`, `--help` of every module, and what DVC shows of an experiment."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy import stats

from pipeline import evaluate, show
from pipeline.core import artifacts
from pipeline.core.errors import InputError
from pipeline.summary import headline

COMMANDS = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__main__")
    for path in (ROOT / "pipeline").rglob("*.py")
    if '__name__ == "__main__"' in path.read_text()
)


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")  # imported by another test
@pytest.mark.parametrize("module", COMMANDS)
def test_help_says_how_a_module_is_called_and_does_nothing(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # where nothing could run
    monkeypatch.setattr("sys.argv", [module, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    assert not ended.value.code and f"python -m {module}" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
def test_what_takes_no_argument_refuses_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["keys", "synthetic"])
    with pytest.raises(SystemExit, match="^error: 'synthetic' is no argument of this command"):
        runpy.run_module("pipeline.keys", run_name="__main__", alter_sys=True)


def cells(generator: np.random.Generator) -> pd.DataFrame:
    """Two panels, three seeds of four tasks, a control in the first panel and a curve in the second."""
    places = [(panel, seed, task) for panel in ("near", "far") for seed in range(3) for task in range(4)]
    table = pd.DataFrame(places, columns=["panel", "seed", "task"]).assign(
        weak="w", strong="s", head="h", inputs="fresh"
    )
    errors = {name: generator.uniform(1, 2, len(table)) for name in ("weak_error", "student_error", "misfit")}
    table = table.assign(**errors, ceiling_error=0.5, epoch=np.nan)
    curve = table[table["panel"] == "far"].assign(epoch=3.0, weak_error=100.0)
    control = table.head(4).assign(control="random", weak_error=1000.0)
    whole = pd.concat([table, curve, curve.assign(epoch=1.0), control], ignore_index=True)
    return whole.assign(gain=whole["weak_error"] - whole["student_error"], cross_term=0.0)


def test_a_row_a_kind_with_the_interval_over_seeds(generator: np.random.Generator) -> None:
    table = cells(generator)
    columns, rows = headline.table(artificial(table), ("epoch",), 0.95, {})
    assert (columns, [(*row.names, row.unit) for row in rows]) == (["panel"], [("near", "seed"), ("far", "seed")])
    near = table[(table["panel"] == "near") & table["control"].isna()]
    by_seed = near.groupby("seed")["gain"].mean()
    gain = rows[0].estimates["gain"]
    assert gain[0] == pytest.approx(by_seed.mean())
    assert gain[1:3] == pytest.approx(tuple(stats.ttest_1samp(by_seed, 0).confidence_interval(0.95)))
    told = headline.headlines(artificial(table), ("epoch",), "toy")
    assert told["near"]["gain"] == pytest.approx(by_seed.mean(), rel=1e-5)
    assert list(told) == ["near", "far"] and told["far"]["gain"] < 1  # not the curve's
    assert len(headline.points(artificial(table), ("epoch",))) == 2


def artificial(table: pd.DataFrame) -> pd.DataFrame:
    """With all columns that cells have."""
    from pipeline.core.cells import complete

    return complete(table, "synthetic")


def test_show_prints_what_is_there_and_says_what_makes_the_rest(
    write_params: Callable[..., None],
    generator: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_params()
    artifacts.write_cells(Path("results/synthetic/cells.csv"), artificial(cells(generator)))

    def shown(*words: str) -> Any:
        monkeypatch.setattr("sys.argv", ["show", *words])
        show.main()
        return capsys.readouterr().out

    text = shown("synthetic")
    assert text.startswith("results/synthetic/cells.csv") and "gap_recovered" in text and len(text.splitlines()) == 5
    evaluate.at_a_glance("synthetic")
    assert set(artifacts.read_item(Path("results/synthetic/headline.json"))) == {"near", "far"}
    assert len(pd.read_csv("results/synthetic/points.csv")) == 2
    for words, message in (
        ((), "usage: python -m pipeline.show <experiment>; known: synthetic"),
        (("realizability",), "realizability has no results here; run `python -m pipeline.study realizability`"),
        (("kl",), "results/kl/cells.csv is missing"),
        (("nothing",), "there is no experiment 'nothing'"),
    ):
        with pytest.raises(InputError, match=message):
            shown(*words)
