"""The molecules experiment at tiny size: every row obeys the mathematics, nothing leaks, bytes repeat."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Tiny
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import cells, experiments, parallel
from pipeline.core.artifacts import Bundle
from pipeline.core.errors import InputError
from pipeline.core.experiments import VERBS
from pipeline.experiments.molecules import labels, weak
from pipeline.experiments.molecules.common import ball, fitting, rungs, teachers
from pipeline.experiments.molecules.evaluate import FURTHER

LADDER = Tiny()["molecules"]["represent"]["ladder"]


@pytest.fixture
def folder(ran: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where every verb has run, which is also where the test runs."""
    monkeypatch.chdir(ran("molecules"))
    return ran("molecules")


@pytest.fixture
def table(folder: Path) -> pd.DataFrame:
    """Rows of the smallest data set, of one split."""
    return cells.read(folder / "results/molecules/cells.csv").query("dataset == 'freesolv' and split == '122'")


@pytest.fixture
def bundles(folder: Path) -> dict[str, Bundle]:
    return {verb: Bundle(folder / "artifacts" / verb / "molecules") for verb in VERBS[:-1]}


def test_cells_obey_the_contract(table: pd.DataFrame) -> None:
    assert tuple(table.columns) == (*cells.COLUMNS, *FURTHER)
    full, few = (table[table["regime"] == regime] for regime in ("full", "few"))
    assert len(full) == 4 * 2 * 2  # rungs, inputs, heads
    assert len(few) == 3 * 1 * 2 + 2 * 1 * 2  # frozen and finetuned teachers, one count, two students each
    np.testing.assert_allclose(table["misfit"] - table["gain"], 2 * table["cross_term"], atol=1e-7)
    np.testing.assert_allclose(table["gain"], table["weak_error"] - table["student_error"], atol=1e-7)
    assert set(table["panel"]) == {"pretrained"} and set(table["inputs"]) == {"same", "half"}
    assert (few["n_train"] == 10).all() and set(few["head"]) == {"ball"}
    assert set(full["n_train"]) == {513, 257} and (table["n_eval"] == 65).all()


def test_the_bound_is_a_theorem_on_the_students_own_molecules(table: pd.DataFrame) -> None:
    convex, linear = table[table["head"] == "ball"], table[table["head"] == "adamw"]
    assert len(convex) and (convex["train_gain"] >= convex["train_bound"] - 1e-9).all()
    assert (convex["train_epsilon"] <= convex["epsilon"].fillna(np.inf) + 10).all()
    assert linear[["epsilon", "rho", "bound", "radius", "train_epsilon", "train_bound"]].isna().all(axis=None)
    known = convex.dropna(subset=["epsilon"])
    np.testing.assert_allclose(
        known["rho"] * np.sqrt(known["epsilon"] * known["misfit"]), known["cross_term"], rtol=1e-6
    )


def test_the_student_sees_no_label_beyond_its_molecules(bundles: dict[str, Bundle]) -> None:
    parts, given_labels = bundles["data"]["freesolv-122"], bundles["labels"]["freesolv-122"]["labels"]
    listed = bundles["labels"]["teachers-freesolv-122"]
    for row, inputs in enumerate(listed["inputs"]):
        seen = set(np.concatenate(fitting.molecules(parts, inputs, "student")).tolist())
        hidden = sorted(set(range(given_labels.shape[1])) - seen)
        assert not given_labels[row, hidden].any() and given_labels[row, sorted(seen)].all()
        assert not seen & set(parts["test"].tolist())
        if inputs == "half":
            assert not seen & set(parts["teacher_half"].tolist())


def test_few_labels_come_from_the_teachers_half_alone(bundles: dict[str, Bundle]) -> None:
    """Other labels may change at will; the teachers with few labels stay what they are."""
    settings = experiments.load("molecules").settings
    data = {name: bundles["data"][name] for name in ("freesolv", "freesolv-122")}
    listed = rungs.listed(bundles["represent"]["rungs"])
    unseen = np.setdiff1d(np.arange(642), data["freesolv-122"]["teacher_half"][:10])
    arguments = ("freesolv", "122", listed[0], listed[0].seed)
    before = weak.fit(*arguments, data, bundles["represent"], settings.weak)["predictions"]
    data["freesolv"]["labels"][unseen] = 1000.0
    after = weak.fit(*arguments, data, bundles["represent"], settings.weak)["predictions"]
    kinds = [teacher.regime for teacher in weak.teachers_of(listed[0], 0, data["freesolv-122"], settings.weak)]
    changed = [bool((old != new).any()) for old, new in zip(before, after, strict=True)]
    assert changed == [kind == teachers.FULL for kind in kinds]


def test_test_labels_move_no_student(bundles: dict[str, Bundle]) -> None:
    settings = experiments.load("molecules").settings
    parts, molecules = bundles["data"]["freesolv-122"], bundles["data"]["freesolv"]
    features, rows = bundles["represent"]["strong"]["freesolv"], fitting.molecules(parts, "half", "student")
    truth = molecules["labels"][None].copy()
    before, radius = fitting.fit_ball(features, truth, rows, settings.strong.radii)
    truth[:, np.concatenate([parts["test"], parts["teacher_half"]])] = np.nan
    after, again = fitting.fit_ball(features, truth, rows, settings.strong.radii)
    np.testing.assert_array_equal(before, after)
    assert radius == again


@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.5, 5.0, 500.0]))
def test_the_ball_is_the_projection(seed: int, radius: float) -> None:
    """Inside the ball, and no member of it nearer: the inequality of the projection for random members."""
    generator = np.random.default_rng(seed)
    features, labels_ = generator.normal(size=(30, 6)) * 3 + 1, generator.normal(size=(2, 30))
    fitted = ball.fit(features, labels_, np.array([radius]))
    scale = ball.common_scale(features)
    weights = fitted.heads[:, 0, :-1] * scale
    assert (np.linalg.norm(weights, axis=1) <= radius * (1 + 1e-9)).all()
    assert (fitted.freedom <= 6 + 1e-9).all()
    scaled = (features - features.mean(axis=0)) / scale
    for label, weight in zip(labels_, weights, strict=True):
        nearest = scaled @ weight + label.mean()
        for member in generator.normal(size=(20, 6)):
            other = scaled @ (member * radius / max(radius, np.linalg.norm(member))) + label.mean()
            assert (other - nearest) @ (nearest - label) >= -1e-8


def test_the_class_minimum_is_never_above_a_member(generator: np.random.Generator) -> None:
    features, truth = generator.normal(size=(40, 5)), generator.normal(size=40)
    rows, own, radii = np.arange(10, 30), np.arange(10), np.array([0.1, 1.0, 100.0])
    least, freedom = fitting.class_minimum(features, truth, rows, own, radii)
    assert (np.diff(least) <= 0).all() and (np.diff(freedom) >= 0).all()
    plain = np.linalg.lstsq(np.c_[features[rows], np.ones(20)], truth[rows], rcond=None)[0]
    exact = np.mean((np.c_[features[rows], np.ones(20)] @ plain - truth[rows]) ** 2)
    assert least[-1] == pytest.approx(exact) and freedom[-1] == pytest.approx(5)


def test_training_that_diverges_names_the_teacher(bundles: dict[str, Bundle]) -> None:
    settings = experiments.load("molecules").settings.weak
    wild = settings.model_copy(update={"adamw": settings.adamw.model_copy(update={"learning_rate": 1e38})})
    rung = rungs.listed(bundles["represent"]["rungs"])[0]
    words = (
        r"molecules, freesolv, split 122, teacher smiles-8 .*lower its learning_rate under weak in the block molecules"
    )
    with pytest.raises(InputError, match=words), experiments.load("molecules").named():
        weak.fit("freesolv", "122", rung, rung.seed, bundles["data"], bundles["represent"], wild)


@pytest.mark.parametrize(
    ("block", "key", "value", "message"),
    [
        (
            "represent",
            "ladder",
            {**LADDER, "hidden_sizes": [8, 10]},
            r"molecules.represent.ladder is .*hidden size 10 must be a multiple of 4",
        ),
        (
            "represent",
            "strong",
            "molbert",
            r"molecules.represent.strong is 'molbert'; input should be 'minimol', 'hub'",
        ),
        ("represent", "masked", 1.5, r"molecules.represent.masked is 1.5"),
        ("data", "splits", ["125"], r"molecules.data.splits\[0\] is '125'"),
        ("labels", "inputs", [], r"molecules.labels.inputs is"),
    ],
)
def test_a_wrong_setting_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: str, key: str, value: Any, message: str
) -> None:
    params = Tiny()
    params["molecules"][block][key] = value
    params.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        experiments.load("molecules")
    assert "\n" not in str(caught.value)


def test_a_hub_revision_is_a_full_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = Tiny()
    params["molecules"]["represent"]["hub"]["revision"] = "main"
    params.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"molecules.represent.hub.revision is 'main'"):
        experiments.load("molecules")


def test_a_finetuned_size_must_be_a_rung(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    settings = experiments.load("molecules").settings
    few = settings.weak.few_labels
    tuning = few.finetuning.model_copy(update={"hidden_sizes": (96,)})
    other = settings.weak.model_copy(update={"few_labels": few.model_copy(update={"finetuning": tuning})})
    with pytest.raises(InputError, match=r"few_labels.finetuning.hidden_sizes holds 96, which is no rung"):
        weak.run(settings.model_copy(update={"weak": other}), bundles, parallel.Pool("test", tmp_path))


def test_labels_may_be_asked_of_one_kind_of_molecules_only(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    settings = experiments.load("molecules").settings
    same = settings.model_copy(update={"labels": settings.labels.model_copy(update={"inputs": ("same",)})})
    kept = labels.run(same, bundles, parallel.Pool("test", tmp_path))["teachers-freesolv-122"]
    assert set(kept.query("regime == 'full'")["inputs"]) == {"same"}
