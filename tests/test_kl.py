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
    assert (controls.groupby(["panel", "class", "control"]).size() == 2 * 2).all() and len(controls) == 3 * 2 * 6 * 4
    constant = controls.query("control == 'constant' and `class` == 'softmax'")  # mixtures of experts hold no constant
    assert (constant["misfit"] < 1e-3).all() and (constant["disagreement"] < 0.05).all()
    itself = controls.query("control == 'itself' and panel == 'realizable' and `class` == 'softmax'")
    assert (itself["weak_kl"] < 1e-4).all()
    factor = controls["misfit"] - controls["gain"] - controls["cross_term"]
    assert factor.abs().max() < 1e-7


def test_cells_obey_the_contract(table: pd.DataFrame) -> None:
    assert tuple(table.columns) == (*cells.COLUMNS, *measures.COLUMNS)
    difference = table["weak_kl"] - table["student_kl"]
    assert (difference.abs() <= table["sharp_bound"] + 1e-9).all() and (table["sharp_bound"] <= table["bound"]).all()
    np.testing.assert_allclose(table["tightness"], difference.abs() / table["bound"], rtol=1e-6, atol=1e-9)
    change = (table["weak_conditional"] - table["student_conditional"]).abs()
    assert (change <= table["calibration_bound"] + 1e-9).all()
    assert ((table["epsilon"] <= table["student_kl"] + 1e-4) | table["epsilon"].isna()).all()
    reverse = table["direction"] == "reverse"
    np.testing.assert_allclose(table["gain"][reverse], difference[reverse], atol=1e-9)


def test_every_student_is_there(table: pd.DataFrame) -> None:
    solved, curves = table[table["epoch"].isna()], table[table["epoch"].notna()]
    assert len(solved) == 3 * len(STUDENTS) * 2 * (2 * 4 + 3)  # two seeds of four tasks, a further one of three
    assert set(solved["class"] + "." + solved["loss"]) == set(STUDENTS)
    assert len(curves) == 2 * 3 * 2 * 2 * 4  # seeds, tasks, epochs, losses, corruptions and rates
    assert (solved["certificate"] <= 1e-6).all()


def test_the_convex_class_is_realizable_where_it_should_be(table: pd.DataFrame) -> None:
    mixture = table[(table["class"] == "mixture") & (table["panel"] == "realizable")]
    assert (mixture["epsilon"] < 1e-6).all() and (mixture["ceiling_kl"] < 1e-5).all()


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
        ({"kl__data__floor": 0.4}, "kl.data is .*floor 0.4 is not below 1/3"),
        ({"kl__data__classes": 1}, "kl.data.classes is 1"),
        ({"kl__evaluate__bins": 500}, "evaluate.bins 500 exceeds 128 samples"),
        ({"kl__strong__curves__noise": [1.5]}, "kl.strong.curves.noise.* is 1.5"),
    ],
)
def test_bad_settings_name_the_key(change: dict, message: str, write_params: Callable[..., None]) -> None:
    write_params(**change)
    with pytest.raises(InputError, match=message):
        experiments.load("kl")
