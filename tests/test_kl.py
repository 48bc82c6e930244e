"""The kl experiment at tiny size: every row obeys the mathematics."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.core import cells, experiments
from pipeline.core.errors import InputError
from pipeline.experiments.kl import data
from pipeline.experiments.kl.common import corruption
from pipeline.experiments.kl.common.students import STUDENTS
from pipeline.measures import classification as measures


@pytest.fixture
def everything(ran: Callable[..., Path]) -> pd.DataFrame:
    return cells.read(ran("kl") / "results/kl/cells.csv")


@pytest.fixture
def table(everything: pd.DataFrame) -> pd.DataFrame:
    return cells.without_controls(everything)


def test_controls_do_what_their_names_say(everything: pd.DataFrame) -> None:
    controls = cells.controls(everything)
    # A row is the mean over the tasks of one seed, of which there are two.
    assert (controls.groupby(["panel", "class", "control"]).size() == 2).all() and len(controls) == 3 * 2 * 6 * 2
    constant = controls.query("control == 'constant' and `class` == 'softmax'")  # mixtures of experts hold no constant
    assert (constant["misfit"] < 1e-3).all() and (constant["disagreement"] < 0.05).all()
    itself = controls.query("control == 'itself' and panel == 'realizable' and `class` == 'softmax'")
    assert (itself["weak_error"] < 1e-4).all()
    factor = controls["misfit"] - controls["gain"] - controls["cross_term"]
    assert factor.abs().max() < 1e-7


def test_cells_obey_the_contract(table: pd.DataFrame) -> None:
    assert tuple(table.columns) == (*cells.COLUMNS, *measures.COLUMNS, "tightness_0.01", "tightness_0.05")
    difference = table["weak_error"] - table["student_error"]
    own = table["bound"].notna()
    assert (difference.abs() <= table["sharp_bound"] + 1e-9)[own].all()
    assert (table["sharp_bound"] <= table["bound"])[own].all()
    raised = table[["tightness_0.01", "tightness_0.05"]].dropna()
    assert (raised <= 1 + 1e-9).all(axis=None) and len(raised) == (own & table["epoch"].isna()).sum()
    change = (table["weak_smooth"] - table["student_smooth"]).abs()
    assert (change <= 2 * table["calibration_bound"] + 1e-6)[own].all()
    for role in ("weak", "student", "ceiling"):
        assert (table[f"{role}_overconfidence"].abs() <= table[f"{role}_ece"] + 1e-6)[own].all()
    second = table[~own]
    assert set(second["loss"] + second["direction"]) == {"cross_entropyreverse"} and second["weak_ece"].isna().all()
    assert ((table["epsilon"] <= table["student_error"] + 1e-4) | table["epsilon"].isna()).all()
    reverse = table["direction"] == "reverse"
    np.testing.assert_allclose(table["gain"][reverse], difference[reverse], atol=1e-9)


def test_every_student_is_there(table: pd.DataFrame) -> None:
    solved, curves = table[table["epoch"].isna()], table[table["epoch"].notna()]
    assert set(solved["class"] + "." + solved["loss"]) == set(STUDENTS)
    # Two seeds of four tasks and a further one of three, one of them at the boundary of the convex class.
    inside = solved[solved["panel"] != "boundary"].groupby(["panel", "class", "loss", "direction"]).size()
    assert set(inside["realizable", "softmax"]) == set(inside["perturbed", "softmax"]) == {2 * 4 + 3}
    assert set(inside["realizable", "mixture"]) == set(inside["pretrained", "mixture"]) == {2 * 3 + 2}
    assert inside["realizable"].index.to_list() == [
        ("mixture", "reverse_kl", "reverse"),
        ("softmax", "cross_entropy", "forward"),
        ("softmax", "cross_entropy", "reverse"),
        ("softmax", "reverse_kl", "reverse"),
    ]
    assert len(curves) == 2 * 2 * 2 * 4  # seeds, epochs, losses, corruptions and rates; each a mean over tasks
    assert curves["task"].isna().all()
    assert (solved["certificate"].dropna() <= 1e-6).all()


def test_the_convex_class_is_realizable_where_it_should_be(table: pd.DataFrame) -> None:
    mixture = table[(table["class"] == "mixture") & (table["panel"] == "realizable")]
    assert (mixture["epsilon"] < 1e-6).all() and (mixture["ceiling_error"] < 1e-5).all()


def test_truths_at_the_boundary_are_single_experts(table: pd.DataFrame, write_params: Callable[..., None]) -> None:
    write_params()
    mixtures = data.draw(0, experiments.load("kl").settings.data)["mixtures"]
    assert mixtures[-1].tolist() == [1, 0, 0] and mixtures[:-1].max() < 1
    boundary = table[table["panel"] == "boundary"]
    assert set(boundary["class"]) == {"mixture"} and sorted(boundary["task"]) == [2, 3, 3]
    assert (boundary["gain"] > 0.5 * boundary["misfit"]).all() and (boundary["epsilon"] < 1e-6).all()


def test_samples_are_distinct_and_truths_are_floored(write_params: Callable[..., None]) -> None:
    settings = experiments.load("kl").settings.data
    drawn = data.draw(0, settings)
    names = ("pretraining_inputs", "inputs", "fresh_inputs", "evaluation_inputs")
    rows = np.concatenate([drawn[name].reshape(-1, 8) for name in names])
    assert len(np.unique(rows, axis=0)) == len(rows)
    for family in ("mixture", "softmax"):
        truth = drawn[f"{family}_truth"]
        assert truth.min() >= settings.floor * 0.999 and np.allclose(truth.sum(axis=-1), 1, atol=1e-5)
    shares = np.eye(3)[drawn["softmax_truth"].argmax(axis=-1)].mean(axis=(0, 1))
    assert shares.min() > 0.05  # centred heads: no class wins everywhere


def test_noise_moves_the_top_class_of_its_share(generator: np.random.Generator) -> None:
    labels = generator.dirichlet(np.ones(4), size=(3, 5000))
    moved = corruption.noisy(labels, 0.3, np.random.default_rng(1))
    np.testing.assert_allclose(np.sort(moved), np.sort(labels))
    assert 0.28 < (moved.argmax(-1) != labels.argmax(-1)).mean() < 0.32
    assert corruption.noisy(labels, 0.0, generator).tobytes() == labels.tobytes()


def test_sharpening_raises_confidence_and_keeps_the_class(generator: np.random.Generator) -> None:
    labels = generator.dirichlet(np.ones(4), size=50)
    sharp = corruption.sharpened(labels, 3.0, 0.001)
    assert (sharp.argmax(-1) == labels.argmax(-1)).all() and sharp.max(-1).mean() > labels.max(-1).mean()
    assert sharp.min() >= 0.001 * 0.999 and corruption.sharpened(labels, 1.0, 0.001) is labels


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kl__data__floor": 0.4}, "kl.data: .*floor 0.4 is not below 1/3"),
        ({"kl__data__classes": 1}, "kl.data.classes is 1"),
        ({"kl__data__boundary_tasks": 2}, "boundary_tasks 2 leave less than 2 of 3 tasks; lower it"),
        ({"kl__evaluate__floors": [0.0005]}, "evaluate.floors holds 0.0005; give floors between data.floor 0.001"),
        ({"kl__evaluate__bins": 500}, "evaluate.bins 500 exceeds half of the samples, 64"),
        ({"kl__strong__curves__noise": [1.5]}, "kl.strong.curves.noise.* is 1.5"),
    ],
)
def test_bad_settings_name_the_key(change: dict, message: str, write_params: Callable[..., None]) -> None:
    write_params(**change)
    with pytest.raises(InputError, match=message):
        experiments.load("kl")
