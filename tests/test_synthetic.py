"""The synthetic experiment at tiny size: every row obeys the mathematics, every run gives the same bytes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.core import artifacts, cells, experiments, parallel, stage
from pipeline.core.errors import InputError
from pipeline.experiments.realizability import pretrain_stepwise
from pipeline.experiments.synthetic import data, evaluate, represent
from pipeline.experiments.synthetic.common.panels import PANELS, unpack


@pytest.fixture
def everything(ran: Callable[..., Path]) -> pd.DataFrame:
    return cells.read(ran("synthetic") / "results/synthetic/cells.csv")


@pytest.fixture
def table(everything: pd.DataFrame) -> pd.DataFrame:
    return cells.without_controls(everything)


def test_cells_obey_the_contract(table: pd.DataFrame) -> None:
    assert tuple(table.columns) == cells.COLUMNS
    first = table[table["seed"] < 2]
    assert len(first) == 2 * 3 * 2 * 2 * 4 and set(first["panel"]) == set(PANELS)
    further = table[table["seed"] == 2]
    assert len(further) == 3 * 4 and set(further["head"]) == {"adamw"} and set(further["inputs"]) == {"reused"}
    written = 1e-9 * table["weak_error"].max()  # ten digits of numbers of this size
    np.testing.assert_allclose(table["misfit"] - table["gain"], 2 * table["cross_term"], atol=written)
    np.testing.assert_allclose(table["gain"], table["weak_error"] - table["student_error"], atol=written)
    assert (table["epsilon"] <= table["ceiling_error"] + 1e-9).all()
    assert (table["epsilon"] <= table["student_error"] + 1e-9).all()
    realizable = table[table["panel"] == "realizable"]
    assert (realizable["epsilon"] < 1e-9).all() and realizable["rho"].isna().all()
    other = table[table["panel"] != "realizable"]
    np.testing.assert_allclose(
        other["rho"] * np.sqrt(other["epsilon"] * other["misfit"]), other["cross_term"], rtol=1e-6
    )


def test_controls_do_what_their_names_say(everything: pd.DataFrame) -> None:
    controls = cells.controls(everything)
    assert (controls.groupby(["panel", "control"]).size() == 2 * 2).all() and len(controls) == 3 * 6 * 2 * 2
    written = 1e-9 * everything["weak_error"].max()
    np.testing.assert_allclose(controls["misfit"] - controls["gain"], 2 * controls["cross_term"], atol=written)
    constant = controls.query("control == 'constant'")
    # The mean of 96 labels, judged on 128 others: its error is their variance, and its student repeats it.
    np.testing.assert_allclose(constant["weak_error"], constant["truth_variance"], rtol=0.2)
    assert (constant["misfit"] < 1e-9 * constant["weak_error"]).all()
    assert (controls.query("control == 'random'")["weak_error"] > constant["weak_error"].to_numpy()).all()
    itself = controls.query("control == 'itself'")
    assert (itself["misfit"] < 0.1 * itself["weak_error"]).mean() > 0.8
    taught = controls.query("control == 'teachers_labels' and panel == 'realizable'")
    assert (taught["student_error"] < taught["weak_error"]).all()


def test_the_exact_ceiling_reaches_the_truth_where_it_can(table: pd.DataFrame) -> None:
    exact = table.query("panel == 'realizable' and head == 'exact'")
    assert (exact["ceiling_error"] < 1e-3 * exact["weak_error"]).mean() > 0.5


def test_a_second_run_leaves_the_bytes_of_the_first(
    ran: Callable[..., Path], write_params: Callable[..., None]
) -> None:
    """With the units of a finished stage still there, and in this process."""
    for verb in ("data", "represent", "represent", "weak"):
        stage.run(verb, "synthetic")
    first = ran("synthetic") / "artifacts/weak/synthetic"
    for path in artifacts.folder("weak", "synthetic").iterdir():
        assert path.read_bytes() == (first / path.name).read_bytes()


def test_samples_are_distinct(write_params: Callable[..., None]) -> None:
    drawn = data.draw(0, experiments.load("synthetic").settings.data)
    names = ("pretraining_inputs", "inputs", "fresh_inputs", "evaluation_inputs")
    rows = np.concatenate([drawn[name].reshape(-1, 8) for name in names])
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_the_truth_is_the_network_under_its_head(write_params: Callable[..., None]) -> None:
    drawn = data.draw(0, experiments.load("synthetic").settings.data)
    x = drawn["inputs"][1].astype(np.float64)
    network = unpack("truth", drawn)
    for weight, bias in zip((network.first, *network.hidden), network.biases, strict=True):
        x = np.maximum(x @ weight.T.astype(np.float64) + bias, 0)
    head = drawn["heads"][1]
    np.testing.assert_allclose(drawn["truth"][1], x @ head[:-1] + head[-1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("biases", [True, False])
def test_perturbation_has_the_stated_size(biases: bool, write_params: Callable[..., None]) -> None:
    settings = experiments.load("synthetic").settings.represent.perturbation.model_copy(
        update={"biases": biases, "weak_sigma": 0.5}
    )
    truth = unpack("truth", data.draw(0, experiments.load("synthetic").settings.data))
    noisy = represent.perturb(0, truth, settings)
    noise = unpack("weak_perturbed", noisy).hidden - truth.hidden
    assert 0.45 < noise.std() < 0.55
    assert bool((unpack("strong_perturbed", noisy).biases != truth.biases).any()) == biases


def test_pretraining_goes_on_where_it_was_stopped(write_params: Callable[..., None], tmp_path: Path) -> None:
    settings = experiments.load("synthetic").settings.represent
    bundle = {"seed-0": data.draw(0, experiments.load("synthetic").settings.data)}
    whole = represent.pretrain(0, "strong", bundle, settings, tmp_path / "whole.safetensors")
    part = tmp_path / "part.safetensors"
    represent.pretrain(0, "strong", bundle, settings.model_copy(update={"epochs": 70}), part)
    resumed = represent.pretrain(0, "strong", bundle, settings, part)
    assert all(whole[name].tobytes() == resumed[name].tobytes() for name in whole)
    assert len(whole["strong_losses"]) == settings.epochs and whole["strong_losses"][-1] < whole["strong_losses"][0]


def test_divergence_names_the_cell(write_params: Callable[..., None], tmp_path: Path) -> None:
    write_params(synthetic__represent__learning_rate=1e30)
    stage.run("data", "synthetic")
    with pytest.raises(InputError, match=r"seed [01], strong representation: .*learning_rate"):
        stage.run("represent", "synthetic")


def test_class_minimum_is_least_squares(generator: np.random.Generator) -> None:
    features, target = generator.normal(size=(1, 50, 3)), generator.normal(size=(1, 50))
    design = np.column_stack([features[0], np.ones(50)])
    residual = np.linalg.lstsq(design, target[0], rcond=None)[1][0] / 50
    np.testing.assert_allclose(evaluate.class_minimum(features, target), [residual])


def test_the_study_ends_in_the_same_table(ran: Callable[..., Path]) -> None:
    table = cells.read(ran("realizability") / "artifacts/results/realizability/cells.csv")
    assert set(zip(table["schedule"], table["epochs"], strict=True)) == {
        (schedule, epochs) for schedule in ("sequential", "joint") for epochs in (2, 4)
    }


def test_snapshots_of_the_study_equal_separate_runs(write_params: Callable[..., None], tmp_path: Path) -> None:
    settings = experiments.load("realizability").settings
    bundle = {"seed-0": data.draw(0, settings.data)}
    stepwise = pretrain_stepwise(0, "joint", bundle, settings.represent, tmp_path / "steps.safetensors")
    alone = represent.pretrain(
        0, "strong", bundle, settings.represent.training("joint", 2), tmp_path / "one.safetensors"
    )
    assert stepwise["joint-2.first"].tobytes() == alone["strong_pretrained.first"].tobytes()


def test_workers_of_a_pool_read_bundles_from_disk(write_params: Callable[..., None]) -> None:
    stage.run("data", "synthetic")
    bundle = artifacts.Bundle(artifacts.folder("data", "synthetic"))
    pool = parallel.Pool("read", Path("partial"))
    found = pool.map(_heads, {"seed-1": (bundle,)})
    np.testing.assert_array_equal(found["seed-1"]["heads"], bundle["seed-1"]["heads"])


def _heads(bundle: artifacts.Bundle) -> artifacts.Arrays:
    return {"heads": bundle["seed-1"]["heads"]}
