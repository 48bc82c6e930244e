"""Claims: the rule of the verdicts, what is measured, and which cells they speak of."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline import claims
from pipeline.core.errors import InputError
from pipeline.figures import FIGURES
from pipeline.summary import filters, sources
from pipeline.summary.census import census, written
from pipeline.summary.designs import Design
from pipeline.summary.estimates import ratio_over_units
from pipeline.summary.judged import JUDGED
from pipeline.summary.questions import placed
from pipeline.summary.statements import KINDS, QUESTIONS, Band, Claim
from pipeline.summary.tables import parted
from pipeline.summary.verdicts import judge
from pipeline.theory.intervals import Estimate
from tests import toy_cells

KEYS = {
    "id",
    "paper",
    "kind",
    "question",
    "half_width",
    "units_needed",
    "minutes_needed",
    "statement",
    "topic",
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
CONTRACT = {
    "verdict": {"holds", "fails", "inconclusive", "not run"},
    "wording": {"verified", "recalled", "derived"},
    "kind": set(KINDS),
    "question": set(QUESTIONS),
}


def claim(**changes: Any) -> Claim:
    """The toy claim with changes, validated."""
    return Claim.model_validate_json(json.dumps({**toy_cells.CLAIM, "paper": "charikar2024", **changes}))


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
    assert placed(Estimate(1.0, low, high, 3), Band(low=0.9, high=1.1)) == expected


def test_open_band() -> None:
    assert placed(Estimate(1.0, 0.95, 9.0, 3), Band(low=0.9)) == "holds"
    assert placed(Estimate(1.0, 0.95, 9.0, 3), Band(high=0.9)) == "fails"


def test_measured_value_is_the_mean_over_seeds() -> None:
    cells = toy_cells.synthetic()
    row = judge(claim(cells={"panel": "pretrained", "head": "adamw", "inputs": "reused"}), {"synthetic": cells}, 0.95)
    groups = cells.query("panel == 'pretrained' and head == 'adamw' and inputs == 'reused'").groupby("seed")
    ratios = [group["gain"].mean() / group["misfit"].mean() for _, group in groups]
    assert row["measured"] == pytest.approx(sum(ratios) / 3, rel=1e-5) and row["n"] == 3 and row["verdict"] == "fails"
    assert all(f"{seed}: {ratio:.3g}" in row["why"] for seed, ratio in enumerate(ratios))


def test_difference_is_paired_by_seed() -> None:
    cells = toy_cells.realizability()
    wanted = {"cells": {"schedule": "sequential", "epochs": 1000}, "against": {"schedule": "joint"}}
    row = judge(
        claim(experiment="published/realizability", expected={"low": 0}, **wanted),
        {"published/realizability": cells},
        0.95,
    )
    ratio = cells.groupby(["schedule", "epochs", "seed"])[["gain", "misfit"]].mean().eval("gain / misfit")
    assert row["measured"] == pytest.approx((ratio["sequential", 1000] - ratio["joint", 1000]).mean(), rel=1e-5)
    assert row["verdict"] == "holds"


AWAITED = "Needs a ball."


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"experiment": "published/realizability"}, "no cells of published/realizability in this repository yet."),
        ({"experiment": "published/realizability", "awaits": AWAITED}, f"in this repository yet. {AWAITED}"),
        ({"experiment": "kl"}, "no cells of kl in this repository yet."),  # not in the main job of these tables
        (
            {"cells": {"head": "ball"}, "awaits": AWAITED},
            f"no cell of synthetic has head ball (with the keys before it). {AWAITED}",
        ),
        ({"cells": {"panel": "realizable", "seed": 9}, "awaits": AWAITED}, "no cell of synthetic has seed 9"),
        ({"cells": {"colour": "red"}, "awaits": AWAITED}, "no cell of synthetic has colour red"),
        ({"against": {"head": "ball"}, "awaits": AWAITED, "why": "So."}, f"{AWAITED} So."),
        (
            {"cells": {"panel": "realisable"}},
            "has panel realisable (with the keys before it); the cells have realizable, pretrained, perturbed.",
        ),
        ({"cells": {"seed": "0"}}, "has seed 0 (with the keys before it); the cells have 0, 1, 2."),
        ({"cells": {"task": 99}}, "the cells have 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 8 more."),
        ({"cells": {"dataset": "esol"}}, "the cells have nothing."),
        (
            {"cells": {"epsilon": 0, "panel": "perturbed"}},
            "has panel perturbed (with the keys before it); the cells that fit the keys before it have realizable.",
        ),
        ({"against": {"head": "ball"}}, "has head ball (with the keys before it); the cells have adamw, exact."),
    ],
)
def test_without_cells_not_run(changes: dict[str, Any], reason: str) -> None:
    row = judge(claim(**changes), {"synthetic": toy_cells.synthetic()}, 0.95)
    assert row["verdict"] == "not run" and reason in row["why"]
    assert row["measured"] is None and row["interval"] == [None, None] and row["n"] == 0


def test_what_it_awaits_says_nothing_where_the_cells_are_there() -> None:
    tables = {"synthetic": toy_cells.synthetic()}
    assert judge(claim(awaits=AWAITED), tables, 0.95) == judge(claim(), tables, 0.95)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"cells": {"colour": "red"}},
            "toy.cells.colour is 'red'; in synthetic there is no column colour, only experiment, panel",
        ),
        ({"over": "sed"}, "toy.over is 'sed'; in synthetic there is no column sed, only experiment, panel"),
        ({"over": "rho"}, "toy.over is 'rho'; cells of synthetic leave it empty; choose another unit"),
        (
            {"over": "panel", "against": {"panel": "pretrained"}},
            "toy.over is 'panel'; cells and against have no panel in common",
        ),
        ({"experiment": "synthetik"}, "toy.experiment is 'synthetik'; there are cells of synthetic; choose one"),
        (
            {"experiment": "published/whine"},
            "toy.experiment is 'published/whine'; there are cells of synthetic; choose one of these, or",
        ),
        (
            {"statistic": "mean_student_accuracy"},
            "toy.statistic is 'mean_student_accuracy'; cells of synthetic lack its column 'student_accuracy'; choose",
        ),
        (
            {"beside": "mean_student_accuracy"},
            "toy.beside is 'mean_student_accuracy'; cells of synthetic lack its column",
        ),
    ],
)
def test_what_the_cells_cannot_answer_is_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        judge(claim(**changes), {"synthetic": toy_cells.synthetic()}, 0.95)
    assert message in str(error.value) and str(error.value).startswith("claims/charikar2024.yaml: toy.")
    assert "\n" not in str(error.value)


def test_a_statistic_without_a_value_is_one_line() -> None:
    cells = toy_cells.synthetic()
    cells.loc[cells["seed"] == 1, "gain"] = math.nan
    with pytest.raises(InputError, match="toy.statistic is 'mean_gain'; of seed 1 it is nan; choose cells for which"):
        judge(claim(statistic="mean_gain"), {"synthetic": cells}, 0.95)


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ({}, [0, 1, 2, 3]),
        ({"epoch": 300}, [0, 2]),
        ({"epoch": 300.0}, [0, 2]),
        ({"lr": 0.001}, [1, 2]),
        ({"split": 122}, [0, 3]),  # a name that looks like a number
        ({"split": "122"}, [0, 3]),
        ({"clipped": True}, [1]),
        ({"clipped": False, "epoch": 300}, [0]),
        ({"done": True}, [0, 1]),
    ],
)
def test_any_column_with_any_value_chooses_cells(wanted: dict[str, Any], kept: list[int], tmp_path: Path) -> None:
    (tmp_path / "cells.csv").write_text(
        "epoch,lr,split,clipped,done\n300,0.01,122,False,True\n1000,0.001,123,True,True\n300,0.001,,,False\n,,122,,False\n"
    )
    cells = pd.read_csv(tmp_path / "cells.csv", dtype={"split": str})
    assert filters.select(cells, claim(cells=wanted).cells).index.tolist() == kept


def test_a_statistic_that_fails_is_one_line() -> None:
    """Of students without epochs none is the last: what pandas says of it is told with the claim."""
    solved = toy_cells.kl().query("epoch.isna()")
    wanted = claim(experiment="kl", statistic="accuracy_lost_since_best", cells={})
    told = r"toy.statistic is 'accuracy_lost_since_best'; over these \d+ cells it has no value \(\w+Error: .*\); choose"
    with pytest.raises(InputError, match=told):
        judge(wanted, {"kl": solved}, 0.95)


def test_a_missing_name_is_no_value() -> None:
    with pytest.raises(filters.NoCells, match="the cells have a$"):
        filters.select(pd.DataFrame({"labels": ["a", None]}), {"labels": "nan"})


def test_any_filled_column_is_a_unit() -> None:
    row = judge(claim(over="task"), {"synthetic": toy_cells.synthetic()}, 0.95)
    assert row["n"] == 20 and row["unit"] == "task"


def test_one_seed_settles_nothing() -> None:
    row = judge(claim(), {"synthetic": toy_cells.synthetic(seeds=(0,))}, 0.95)
    assert row["verdict"] == "inconclusive" and row["interval"] == [None, None] and "One seed" in row["why"]


def test_one_student_is_judged_over_its_test_rows() -> None:
    one = toy_cells.preferences().head(1).assign(weak_accuracy=0.6, student_accuracy=0.64, gain_error=0.01, n_eval=400)
    wanted = claim(over="test_row", statistic="mean_accuracy_gain", expected={"low": 0}, cells={})
    row = judge(wanted, {"synthetic": one}, 0.95)
    assert row["interval"] == pytest.approx([0.0204, 0.0596], abs=1e-5)
    assert row["n"] == 400 and row["verdict"] == "holds"
    with pytest.raises(InputError, match="toy.over is 'test_row'; it takes one cell, not 2; add keys"):
        judge(wanted, {"synthetic": pd.concat([one, one])}, 0.95)


def test_repository_claims_are_valid_and_hold_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = toy_cells.repository(tmp_path, toy_cells.everything())
    monkeypatch.chdir(folder)
    claims.main()
    rows = json.loads((folder / "report/claims.json").read_text())
    assert [row["paper"] for row in rows] == [key for key in sources.read() for row in rows if row["paper"] == key]
    assert [row["id"] for row in rows] == [claim.id for claim in claims.read()] and len(rows) >= 114
    for row in rows:
        assert row.keys() >= KEYS and row["figure"] in FIGURES and len(row["interval"]) == 2
        assert all(row[key] in allowed for key, allowed in CONTRACT.items())
        assert row["why"] or row["verdict"] == "holds"
        assert (row["verdict"] == "not run") == row["id"].startswith("gpt2_cai"), f"{row['id']}: {row['why']}"
    told = capsys.readouterr()
    assert told.err == "" and told.out.count("\n") == 1 + len({row["kind"] for row in rows})


def test_a_claim_without_a_cell_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other settings make other cells: the run goes on, and says which claims it could not judge."""
    tables = {"results/synthetic": toy_cells.synthetic().query("head == 'adamw'")}
    monkeypatch.chdir(toy_cells.repository(tmp_path, tables))
    claims.main()
    told = capsys.readouterr().err
    assert "claims/charikar2024.yaml: realizable_equality_exact: no cell of synthetic has head exact" in told
    assert "the cells have adamw" in told and "cai" not in told


def values(*numbers: float, column: str = "gain") -> dict[str, pd.DataFrame]:
    """Cells of `synthetic` in which seed i has the i-th number as its mean gain."""
    cells = toy_cells.synthetic(seeds=tuple(range(len(numbers))))
    return {"synthetic": cells.assign(**{column: [numbers[seed] for seed in cells["seed"]]})}


def asked(question: str, **changes: Any) -> Claim:
    """The mean gain of each seed, put to a question."""
    return claim(question=question, statistic="mean_gain", **changes)


def test_equal_values_decide_nothing() -> None:
    row = judge(asked("mean", expected={"low": 0}), values(0.5, 0.5, 0.5), 0.95)
    assert row["verdict"] == "inconclusive" and "No spread" in row["why"] and row["units_needed"] is None


def test_a_prediction_asks_whether_the_number_could_be_one_more_unit() -> None:
    tables = values(0.0, 1.0, 2.0, 3.0, 4.0)  # mean 2, deviation 1.58, reach 2.776 * 1.58 * sqrt(1.2) = 4.81
    for value, verdict in ((6.8, "holds"), (6.9, "fails"), (-2.9, "fails")):
        assert judge(asked("prediction", expected={"value": value}), tables, 0.95)["verdict"] == verdict


def test_a_median_needs_six_units_at_least() -> None:
    wanted = asked("median", expected={"low": 0.5})
    five, six = (judge(wanted, values(*numbers), 0.95) for numbers in ((1, 2, 3, 4, 5), (1, 2, 3, 4, 5, -60)))
    assert five["verdict"] == "inconclusive" and five["interval"] == [None, None]
    assert six["measured"] == 2.5 and six["interval"] == [-60, 5] and six["verdict"] == "inconclusive"
    assert judge(wanted, values(1, 2, 3, 4, 5, 6), 0.95)["verdict"] == "holds"


def test_a_median_over_units_that_share_rows_is_refused() -> None:
    designs = {"synthetic": Design({"seed": 0.1})}
    with pytest.raises(InputError, match="toy.question is 'median'; it has no interval over a seed that shares rows"):
        judge(asked("median", expected={"low": 0}), values(1, 2, 3, 4, 5, 6), 0.95, designs)


def test_a_share_counts_hits_among_units() -> None:
    wanted = asked("share", hit={"low": 0.8, "high": 1.2}, expected={"low": 0.3})
    row = judge(wanted, values(0.9, 1.0, 1.1, 1.2, 0.8, 0.9, 5.0), 0.95)
    # Clopper and Pearson: the lower end p solves P(Binomial(7, p) >= 6) = 0.025.
    assert row["measured"] == pytest.approx(6 / 7, rel=1e-5) and row["interval"][0] == pytest.approx(0.42128, abs=1e-4)
    assert row["verdict"] == "holds" and "6 of 7 seeds are hits" in row["why"]
    assert judge(wanted, values(1.0, 1.0, 1.0), 0.95)["interval"][1] == 1.0


def test_one_violation_is_enough() -> None:
    wanted = claim(question="universal", over=None, statistic="squared_bound_violation", expected={"high": 1e-6})
    cells = toy_cells.synthetic()
    kept = judge(wanted, {"synthetic": cells}, 0.95)
    chosen = cells.query("panel == 'realizable' and head == 'adamw' and inputs == 'reused'").index
    cells.loc[chosen[7], "bound"] = cells.loc[chosen[7], "gain"] + 0.01
    broken = judge(wanted, {"synthetic": cells}, 0.95)
    assert (kept["verdict"], kept["n"], kept["unit"]) == ("holds", len(chosen), "cell")
    assert broken["verdict"] == "fails" and broken["measured"] > 0 and broken["interval"] == [None, None]


def test_a_law_is_judged_by_what_it_predicts_of_other_cells() -> None:
    wanted = {"cells": {"panel": "pretrained", "head": "adamw", "inputs": "reused"}, "against": {"head": "exact"}}
    laws = {"question": "law", "predicted": "gain_over_misfit_by_law", "expected": {"low": -0.2, "high": 0.2}}
    tables = {"synthetic": toy_cells.synthetic()}
    row = judge(claim(**wanted, **laws, why="Toys."), tables, 0.95)
    ratio = tables["synthetic"].query("panel == 'pretrained' and inputs == 'reused'").groupby(["head", "seed"])
    ratio = ratio[["gain", "misfit"]].mean().eval("gain / misfit")  # of least squares the law is an identity
    assert row["measured"] == pytest.approx((ratio["adamw"] - ratio["exact"]).mean(), rel=1e-4)


def test_units_that_share_rows_have_wider_intervals() -> None:
    wanted, tables = asked("mean", expected={"low": 0}), values(1.0, 2.0, 3.0, 4.0)
    alone = judge(wanted, tables, 0.95)
    shared = judge(wanted, tables, 0.95, {"synthetic": Design({"seed": 0.5})})
    width = [row["interval"][1] - row["interval"][0] for row in (alone, shared)]
    assert width[1] / width[0] == pytest.approx(math.sqrt((1 / 4 + 0.5) / (1 / 4)), rel=1e-4)
    assert (alone["verdict"], shared["verdict"]) == ("holds", "inconclusive") and "share rows" in shared["why"]


def test_an_open_claim_says_what_it_could_have_seen_and_what_would_decide() -> None:
    wanted = asked("mean", expected={"low": 0}, experiment="published/toy")
    tables = {"published/toy": values(-1.0, 0.0, 1.0, 2.0)["synthetic"]}
    row = judge(wanted, tables, 0.95, {"published/toy": Design(minutes=8.0)})
    assert row["verdict"] == "inconclusive"
    assert row["half_width"] == pytest.approx((row["interval"][1] - row["interval"][0]) / 2, rel=1e-5)
    assert row["units_needed"] == 55 and row["minutes_needed"] == 2.0 * (55 - 4)
    decided = judge(wanted, {"published/toy": values(1.0, 1.1, 1.2, 1.3)["synthetic"]}, 0.95)
    assert decided["verdict"] == "holds" and decided["units_needed"] is decided["half_width"] is None


def test_teachers_at_chance_are_left_out() -> None:
    cells = toy_cells.preferences().query("panel == 'main' and head == 'frozen' and dataset == 'sciq'").copy()
    gone = cells["weak"] == "minilm"
    cells.loc[gone, ["weak_accuracy", "student_accuracy"]] = 0.52, 0.9
    wanted = {"experiment": "published/preferences", "statistic": "mean_accuracy_gain", "cells": {}}
    tables = {"published/preferences": cells}
    rest = judge(claim(**wanted), {"published/preferences": cells[~gone]}, 0.95)["measured"]
    assert judge(claim(**wanted, teachers="above_chance"), tables, 0.95)["measured"] == rest
    none = judge(claim(**wanted, teachers="above_chance"), {"published/preferences": cells[gone]}, 0.95)
    assert none["verdict"] == "not run" and "no teacher of published/preferences is above chance" in none["why"]


def test_the_best_epoch_is_chosen_on_the_other_units() -> None:
    curve = pd.DataFrame({"epoch": [1, 2, 3] * 3, "seed": [0] * 3 + [1] * 3 + [2] * 3})
    accuracy = [0.9, 0.5, 0.6, 0.5, 0.8, 0.6, 0.5, 0.7, 0.6]  # seed 0 by luck is best at its first epoch
    cells = curve.assign(student_accuracy=accuracy, weak_accuracy=0.4, student_ece=0.1, student_error=1.0)
    cells = cells.assign(student_ece_scaled=0.1, student_overconfidence=0.0)
    cells = cells.assign(weak_objective=1.0, weak_validation=[3, 2, 1] * 3)
    wanted = claim(statistic="accuracy_lost_since_best", cells={}, expected={"low": 0.0})
    row = judge(wanted, {"synthetic": cells}, 0.95)
    # Others than 0 say epoch 2; others than 1 or 2 (means .7, .6, .6 and .7, .65, .6) say epoch 1.
    assert row["measured"] == pytest.approx(((0.5 - 0.6) + (0.5 - 0.6) + (0.5 - 0.6)) / 3, rel=1e-5)
    alone = judge(wanted, {"synthetic": cells[cells["seed"] == 0]}, 0.95)
    assert alone["verdict"] == "not run" and "there is one alone" in alone["why"]


def test_the_census_counts_kinds_apart() -> None:
    nothing = {"half_width": None, "units_needed": None}
    rows = [{"kind": kind, "verdict": verdict} for kind, verdict in (("check", "holds"), ("claim", "fails"))]
    rows += [{"kind": "claim", "verdict": verdict} for verdict in ("holds", "not run")]
    rows = [nothing | row for row in rows]
    rows += [
        {"kind": "claim", "verdict": "inconclusive", "half_width": width, "units_needed": units}
        for width, units in ((0.1, 30), (0.1, None))  # more units would decide the first, none the second
    ]
    claims, checks = census(rows)
    assert (claims.kind, claims.decided, claims.verdicts["not run"]) == ("claim", 0.5, 1)
    assert (claims.beyond, claims.decidable) == (1, pytest.approx(2 / 3)) and "2 (1)" in written(rows)
    assert (checks.kind, checks.decided, checks.beyond) == ("check", 1.0, 0) and "50%" in written(rows)
    assert census([nothing | {"kind": "ours", "verdict": "not run"}])[0].decided is None


def test_an_open_claim_without_an_interval_is_not_open_for_good() -> None:
    alone = judge(claim(), {"synthetic": toy_cells.synthetic(seeds=(0,))}, 0.95)
    assert alone["verdict"] == "inconclusive" and census([alone])[0].beyond == 0


def test_a_ratio_of_means_does_not_hang_on_one_small_denominator() -> None:
    cells = values(1.0, 2.0, 3.0, 0.02)["synthetic"]
    cells = cells.assign(misfit=cells["seed"].map({0: 2.0, 1: 4.0, 2: 6.0, 3: 0.001}))
    wanted = claim(
        question="ratio", statistic="mean_gain", divided_by="mean_misfit", expected={"low": 0.4, "high": 0.6}
    )
    row = judge(wanted, {"synthetic": cells}, 0.95)
    above, below = np.array([1, 2, 3, 0.02]), np.array([2, 4, 6, 0.001])
    reference = ratio_over_units(above, below, 0.95)
    assert row["measured"] == pytest.approx(6.02 / 12.001, rel=1e-5) and row["verdict"] == "holds"
    assert row["interval"] == pytest.approx([reference.low, reference.high], rel=1e-4)
    assert judge(asked("mean", expected={"low": 0.4, "high": 0.6}), {"synthetic": cells}, 0.95)["verdict"] != "holds"
    with pytest.raises(InputError, match="toy.divided_by is 'mean_misfit'; it is 0 over these cells; choose others"):
        judge(wanted, {"synthetic": cells.assign(misfit=0.0)}, 0.95)


def test_units_on_the_same_test_rows_have_the_error_of_the_rows_as_well() -> None:
    cells = values(1.0, 1.2, 1.1, 1.3)["synthetic"].assign(luck=0.3)
    wanted = asked("mean", expected={"low": 0.8}, row_error="luck")
    row, alone = (judge(one, {"synthetic": cells}, 0.95) for one in (wanted, asked("mean", expected={"low": 0.8})))
    own = (alone["interval"][1] - alone["interval"][0]) / 2
    half = math.hypot(own, 0.3 * 1.959964)
    assert (
        row["interval"] == pytest.approx([1.15 - half, 1.15 + half], rel=1e-4) and "for other rows, too" in row["why"]
    )
    assert (alone["verdict"], row["verdict"], row["units_needed"]) == ("holds", "inconclusive", None)
    small = judge(wanted, {"synthetic": cells.assign(luck=0.08, gain=cells["gain"] - 0.1)}, 0.95)
    assert small["verdict"] == "inconclusive" and small["units_needed"] > 4  # more seeds would do where rows leave room
    with pytest.raises(InputError, match="toy.row_error is 'luck'; cells of synthetic lack this column; remove it"):
        judge(wanted, {"synthetic": cells.drop(columns="luck")}, 0.95)
    shared = judge(wanted, {"synthetic": cells}, 0.95, {"synthetic": Design({"seed": 0.1})})  # of what they learn from
    half = math.hypot(own * math.sqrt(1 + 4 * 0.1), 0.3 * 1.959964)
    assert shared["interval"] == pytest.approx([1.15 - half, 1.15 + half], rel=1e-4)


def test_real_teachers_are_set_beside_controls_on_the_same_tasks() -> None:
    cells = toy_cells.synthetic().query("panel == 'realizable' and head == 'exact' and inputs == 'fresh'")
    cells = cells.assign(gain=cells["task"].where(cells["control"].isna(), 0) + 0.1 * cells["seed"])
    wanted = {"cells": {"panel": "realizable"}, "against": {"control": "random"}, "statistic": "mean_gain"}
    row = judge(claim(**wanted, expected={"low": 0}), parted("synthetic", cells), 0.95)
    tasks = cells.loc[cells["control"] == "random", "task"].unique()
    assert len(tasks) < 20 and row["measured"] == pytest.approx(np.mean(tasks), rel=1e-5)


def test_null_under_against_drops_a_key() -> None:
    tables = {"synthetic": toy_cells.synthetic().query("control.isna()")}
    wanted = {"cells": {"panel": "realizable", "head": "adamw"}, "statistic": "mean_gain", "expected": {"low": 0}}
    row = judge(claim(**wanted, against={"panel": None}), tables, 0.95)
    means = tables["synthetic"].query("head == 'adamw'").groupby("seed")["gain"].mean()
    own = tables["synthetic"].query("head == 'adamw' and panel == 'realizable'")
    assert row["measured"] == pytest.approx((own.groupby("seed")["gain"].mean() - means).mean(), rel=1e-4)


def test_few_labels_and_the_largest_model_have_statistics() -> None:
    cells = toy_cells.molecules().query(
        "regime == 'full' and head == 'adamw' and inputs == 'same' and ladder == 'smiles'"
    )
    logarithm = JUDGED["mean_log_weak_error"](cells)
    assert logarithm == pytest.approx(np.log(cells["weak_error"]).mean())
    regrets, by_lot = [], []
    for _, draw in cells.groupby(["dataset", "split", "seed"]):
        picked = draw.loc[(draw["weak_error"] - draw["misfit"]).idxmin(), "student_error"]
        regrets.append(picked - draw.loc[draw["weak_size"].idxmax(), "student_error"])
        by_lot.append(draw["student_error"].mean() - draw["student_error"].min())
    assert JUDGED["regret_beyond_largest"](cells) == pytest.approx(np.mean(regrets) / np.mean(by_lot))
