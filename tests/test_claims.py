"""Claims: the rule of the verdicts, what is measured, and one-line errors that name claim and key."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline import claims
from pipeline.core.errors import InputError
from pipeline.summary.figures import FIGURES
from pipeline.summary.verdicts import Band, Claim, judge, verdict
from pipeline.theory.intervals import Estimate
from tests import toy_cells
from tests.conftest import ROOT

KEYS = {
    "id",
    "paper",
    "statement",
    "wording",
    "experiment",
    "measured",
    "interval",
    "n",
    "expected",
    "verdict",
    "why",
    "figure",
}
CONTRACT = {"verdict": {"holds", "fails", "inconclusive", "not run"}, "wording": {"verified", "recalled", "derived"}}
ROW = toy_cells.CLAIM


def claim(**changes: Any) -> Claim:
    """The toy row with changes, validated."""
    return Claim.model_validate_json(json.dumps({**ROW, **changes}))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.95, 1.05, "holds"),
        (0.9, 1.1, "holds"),
        (0.85, 1.0, "inconclusive"),
        (0.5, 1.5, "inconclusive"),
        (1.11, 1.2, "fails"),
        (0.1, 0.89, "fails"),
        (-math.inf, math.inf, "inconclusive"),
    ],
)
def test_rule(low: float, high: float, expected: str) -> None:
    assert verdict(Estimate(1.0, low, high, 3), Band(low=0.9, high=1.1)) == expected


def test_open_band() -> None:
    assert verdict(Estimate(1.0, 0.95, 9.0, 3), Band(low=0.9)) == "holds"
    assert verdict(Estimate(1.0, 0.95, 9.0, 3), Band(high=0.9)) == "fails"


def test_measured_value_is_the_mean_over_seeds() -> None:
    cells = toy_cells.synthetic()
    row = judge(claim(cells={"panel": "pretrained", "head": "adamw", "inputs": "reused"}), {"synthetic": cells}, 0.95)
    groups = cells.query("panel == 'pretrained' and head == 'adamw' and inputs == 'reused'").groupby("seed")
    ratios = [group["gain"].mean() / group["misfit"].mean() for _, group in groups]
    assert row["measured"] == pytest.approx(sum(ratios) / 3, rel=1e-5) and row["n"] == 3 and row["verdict"] == "fails"
    assert all(f"{seed}: {ratio:.3g}" in row["why"] for seed, ratio in enumerate(ratios))


def test_difference_is_paired_by_seed() -> None:
    cells = toy_cells.realizability()
    wanted = {"cells": {"schedule": "sequential", "epochs": 1000}, "against": {"schedule": "joint", "epochs": 1000}}
    row = judge(
        claim(experiment="published/realizability", expected={"low": 0}, **wanted),
        {"published/realizability": cells},
        0.95,
    )
    ratio = cells.groupby(["schedule", "epochs", "seed"])[["gain", "misfit"]].mean().eval("gain / misfit")
    assert row["measured"] == pytest.approx((ratio["sequential", 1000] - ratio["joint", 1000]).mean(), rel=1e-5)
    assert row["verdict"] == "holds"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"experiment": "published/realizability"}, "no cells of published/realizability"),
        ({"cells": {"panel": "realizable", "head": "ball"}}, "head ball"),
    ],
)
def test_without_cells_not_run(changes: dict[str, Any], reason: str) -> None:
    row = judge(claim(**changes), {"synthetic": toy_cells.synthetic()}, 0.95)
    assert row["verdict"] == "not run" and reason in row["why"]
    assert row["measured"] is None and row["interval"] == [None, None] and row["n"] == 0


def test_one_seed_settles_nothing() -> None:
    row = judge(claim(), {"synthetic": toy_cells.synthetic(seeds=(0,))}, 0.95)
    assert row["verdict"] == "inconclusive" and row["interval"] == [None, None] and "One seed" in row["why"]


def test_one_student_is_judged_over_its_test_rows() -> None:
    one = toy_cells.preferences().head(1).assign(weak_accuracy=0.6, student_accuracy=0.64, gain_error=0.01, n_eval=400)
    wanted = claim(over="test_row", statistic="mean_accuracy_gain", expected={"low": 0}, cells={})
    row = judge(wanted, {"synthetic": one}, 0.95)
    assert row["interval"] == pytest.approx([0.0204, 0.0596], abs=1e-5)
    assert row["n"] == 400 and row["verdict"] == "holds"
    with pytest.raises(InputError, match="over test_row takes one cell, not 2"):
        judge(wanted, {"synthetic": pd.concat([one, one])}, 0.95)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"over": "test_row"}, "over test_row only mean_accuracy_gain has an interval"),
        ({"statistic": "corelation"}, "statistic 'corelation' is not known; choose from "),
        ({"wording": "sure"}, "wording is 'sure'"),
        ({"expected": {}}, "give low, high or both"),
        ({"expected": {"low": 2.0, "high": 1.0}}, "low 2 is above high 1"),
        ({"expected": {"low": "0.9"}}, "expected.low is '0.9'"),
        ({"cells": {"panel": "realisable"}}, "cells.panel is 'realisable'"),
        ({"cells": {"colour": "red"}}, "cells.colour is not a known key"),
        ({"measured": 0.9}, "measured is not a known key"),
        ({"figure": "figure_9"}, "figure is 'figure_9'; choose from "),
        ({"over": None}, "over is None"),
    ],
)
def test_bad_claims_name_claim_and_key(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    YAML().dump([{**ROW, **changes}], path)
    with pytest.raises(InputError, match="claim 'toy'") as error:
        claims.read(path)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no list of claims"),
        ("a: [", "is not valid YAML"),
        ("- 3", "entry 1 is no claim"),
        ("- {id: lonely}", "claim 'lonely': paper is missing"),
    ],
)
def test_bad_file_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        claims.read(path)
    assert "\n" not in str(error.value)


def test_two_claims_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    YAML().dump([ROW, ROW], path)
    with pytest.raises(InputError, match="claim 'toy' stands there twice"):
        claims.read(path)


def test_column_that_the_cells_lack() -> None:
    with pytest.raises(InputError, match="claim 'toy': cells of synthetic have no column schedule"):
        judge(claim(cells={"schedule": "joint"}), {"synthetic": toy_cells.synthetic()}, 0.95)


def test_repository_claims_are_valid_and_hold_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = toy_cells.repository(tmp_path, toy_cells.everything())
    monkeypatch.chdir(folder)
    claims.main()
    rows = json.loads((folder / "report/claims.json").read_text())
    assert [row["id"] for row in rows] == [row["id"] for row in YAML(typ="safe").load(ROOT / "claims.yaml")]
    for row in rows:
        assert row.keys() >= KEYS and row["figure"] in FIGURES and len(row["interval"]) == 2
        assert all(row[key] in allowed for key, allowed in CONTRACT.items())
        assert row["why"] or row["verdict"] == "holds"
        waits = row["id"].startswith("gpt2_cai")  # for data and a GPU
        assert (row["verdict"] == "not run") == waits, f"{row['id']}: {row['why']}"
