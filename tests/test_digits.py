"""The digits experiment at tiny size: disjoint splits, every row obeys the mathematics."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.core import cells, experiments
from pipeline.core.errors import InputError
from pipeline.experiments.digits import data, represent, weak
from pipeline.experiments.digits.common.splits import PARTS
from pipeline.measures import classification as measures
from pipeline.models.softmax import heads as softmax
from pipeline.theory import calibration


@pytest.fixture
def everything(ran: Callable[..., Path]) -> pd.DataFrame:
    return cells.read(ran("digits") / "results/digits/cells.csv")


@pytest.fixture
def table(everything: pd.DataFrame) -> pd.DataFrame:
    return cells.without_controls(everything)


def test_controls_do_what_their_names_say(everything: pd.DataFrame) -> None:
    controls = cells.controls(everything)
    assert set(controls["control"]) == {"random", "shuffled", "constant", "itself", "teachers_labels"}
    last = controls[controls["epoch"].isna() | (controls["epoch"] == 4)].groupby("control")
    assert last.size().to_dict() == {"random": 2, "shuffled": 2, "constant": 2, "itself": 2, "teachers_labels": 6}
    accuracy = last["weak_accuracy"].mean()
    assert accuracy[["random", "shuffled", "constant"]].max() < 0.25 < accuracy["itself"]
    wrong = everything[everything["weak_accuracy"] < 1]
    shares = wrong["copied"] + wrong["corrected"]
    assert (shares <= 1 + 1e-9).all() and (wrong["copied"] >= 0).all()


def test_cells_obey_the_contract(table: pd.DataFrame) -> None:
    assert tuple(table.columns) == (*cells.COLUMNS, *measures.COLUMNS, "tempered", *measures.raised((0.01, 0.05)))
    difference = table["weak_error"] - table["student_error"]
    assert (difference.abs() <= table["sharp_bound"] + 1e-9).all()
    assert (table[measures.raised((0.01, 0.05))] <= 1 + 1e-9).all(axis=None)
    change = (table["weak_smooth"] - table["student_smooth"]).abs()
    assert (change <= 2 * table["calibration_bound"] + 1e-6).all()
    assert set(table["class"]) == {"softmax", "mixture"} and set(table["split"]) == {"0", "1"}
    assert (table["certificate"].dropna() < 1e-7).all()


def test_noise_and_confidence_are_on_one_width_and_rate(table: pd.DataFrame) -> None:
    corrupted = table[(table["noise"] > 0) | table["tempered"] | (table["sharpening"] > 1)]
    assert set(corrupted["strong"]) == {"random-16"} and set(corrupted["lr"]) == {0.01}
    tempered = table[table["tempered"]]
    assert tempered["sharpening"].isna().all() and len(tempered) == 2 * 3 * 2 * 2


def test_parts_are_disjoint_and_whole(write_params: Callable[..., None]) -> None:
    settings, labels = experiments.load("digits").settings.data, np.arange(1797) % 10
    for split in range(3):
        parts = data.divide(split, labels, settings)
        assert tuple(parts) == PARTS
        assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(1797))
    assert not np.array_equal(data.divide(0, labels, settings)["test"], data.divide(1, labels, settings)["test"])


def test_a_part_without_a_class_is_refused(write_params: Callable[..., None]) -> None:
    with pytest.raises(InputError, match="split 0: no image of class 1 in teacher; enlarge data.teacher"):
        data.divide(0, np.zeros(1797, int), experiments.load("digits").settings.data)


def test_too_many_images_are_refused(write_params: Callable[..., None]) -> None:
    write_params(digits__data__student=1500)
    with pytest.raises(InputError, match="of 1797 images are used before the test set"):
        experiments.load("digits")


def test_temperature_finds_what_the_logits_were_multiplied_by(generator: np.random.Generator) -> None:
    features, head = generator.normal(size=(4000, 3)).astype(np.float32), generator.normal(size=(4, 10))
    logits = features @ head[:-1] + head[-1]
    truth = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)
    found = weak.temperature(features, truth, 3 * head)[0]
    assert found == pytest.approx(3, rel=0.08)
    predicted = softmax.predict(features, 3 * head)
    assert calibration.temperature(np.maximum(predicted, 1e-30), np.eye(10)[truth]) == pytest.approx(found, rel=1e-3)


def test_random_features_see_no_label_and_are_scaled(generator: np.random.Generator) -> None:
    features = represent.random_features(generator, generator.random((200, 5)), 7)
    assert features.shape == (200, 7) and features.min() == 0
    np.testing.assert_allclose(np.mean(np.square(features)), 1, rtol=1e-5)
