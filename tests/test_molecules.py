"""The molecules experiment at tiny size: every row obeys the mathematics, nothing leaks, bytes repeat."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, Tiny
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import cells, experiments, parallel
from pipeline.core.artifacts import Bundle
from pipeline.core.config import AdamW
from pipeline.core.errors import InputError
from pipeline.core.experiments import VERBS
from pipeline.experiments.molecules import labels, weak
from pipeline.experiments.molecules.common import ball, fitting, teachers
from pipeline.experiments.molecules.evaluate import FURTHER
from pipeline.models import ridge
from pipeline.models.molecules import morgan

LADDER = Tiny()["molecules"]["represent"]["ladder"]


@pytest.fixture
def folder(ran: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where every verb has run, which is also where the test runs."""
    monkeypatch.chdir(ran("molecules"))
    return ran("molecules")


@pytest.fixture
def whole(folder: Path) -> pd.DataFrame:
    """Rows of the smallest data set."""
    return cells.read(folder / "results/molecules/cells.csv").query("dataset == 'freesolv'")


@pytest.fixture
def table(whole: pd.DataFrame) -> pd.DataFrame:
    """Of one of ChemBench's splits."""
    return whole.query("split == '122'")


@pytest.fixture
def controls(whole: pd.DataFrame) -> pd.DataFrame:
    """Controls that see all labels of their half, on one random split."""
    return cells.controls(whole).query("split == 'r0' and regime == 'full'").set_index("control")


@pytest.fixture
def bundles(folder: Path) -> dict[str, Bundle]:
    return {verb: Bundle(folder / "artifacts" / verb / "molecules") for verb in VERBS[:-1]}


def test_cells_obey_the_contract(whole: pd.DataFrame) -> None:
    assert tuple(whole.columns) == (*cells.COLUMNS, *FURTHER)
    real = cells.without_controls(whole)
    # Rungs: two sizes, one of them with a further seed, and the control ladder; both inputs; heads.
    assert real.query("regime == 'full'").groupby("split").size().to_dict() == {"122": 16, "r0": 8, "r1": 8}
    assert set(real.query("panel == 'random'")["head"]) == {"ball"}
    assert whole.groupby("split")["panel"].first().to_dict() == {"122": "chembench", "r0": "random", "r1": "random"}
    few = real.query("regime == 'few'")
    assert len(few) == 4 and set(few["split"]) == {"r0"}  # frozen and finetuned pairs, each both ways
    assert (few["n_train"] == 10).all() and set(few["head"]) == {"ball"}
    assert set(real.query("regime == 'full'")["n_train"]) == {513, 257} and set(whole["n_eval"]) == {65}
    np.testing.assert_allclose(whole["misfit"] - whole["gain"], 2 * whole["cross_term"], atol=1e-7)
    np.testing.assert_allclose(whole["gain"], whole["weak_error"] - whole["student_error"], atol=1e-7)


def test_controls_are_what_their_names_say(whole: pd.DataFrame, controls: pd.DataFrame) -> None:
    assert list(controls.index) == ["random", "other_task", "shuffled", "constant", "itself", "teachers_labels"]
    assert set(controls["inputs"]) == {"half"}
    errors = controls["weak_error"]
    assert errors["random"] > errors["constant"] > errors["itself"]
    # The strong representation on the teacher's labels is the teacher of `itself`, measured against a real teacher.
    replaced = cells.without_controls(whole).query(
        "split == 'r0' and weak == 'smiles-8' and seed == 0 and inputs == 'half' and regime == 'full'"
    )
    assert controls.loc["teachers_labels", "student_error"] == errors["itself"]
    assert controls.loc["teachers_labels", "weak_error"] == replaced["weak_error"].item()
    assert controls.loc["constant", ["gain", "misfit"]].abs().max() < 1e-9
    baseline = cells.controls(whole).query("regime == 'few'")
    assert baseline["control"].to_list() == ["constant"] and baseline["n_train"].to_list() == [10]


def test_random_and_foreign_teachers_have_the_mean_and_deviation_of_the_labels(bundles: dict[str, Bundle]) -> None:
    listed, predictions = bundles["weak"]["teachers-freesolv-r0"], bundles["weak"]["freesolv-r0"]["predictions"]
    own = bundles["data"]["freesolv-r0"]["teacher_half"]
    truth = bundles["data"]["freesolv"]["labels"][own]
    rows = np.flatnonzero(listed["control"].isin(["random", "other_task"]))
    assert len(rows) == 2
    np.testing.assert_allclose(predictions[rows][:, own].mean(axis=1), truth.mean(), rtol=1e-4)
    np.testing.assert_allclose(predictions[rows][:, own].std(axis=1), truth.std(), rtol=1e-4)


def test_the_bound_is_a_theorem_on_the_students_own_molecules(table: pd.DataFrame) -> None:
    convex, linear = table[table["head"] == "ball"], table[table["head"] == "adamw"]
    assert len(convex) and (convex["train_gain"] >= convex["train_bound"] - 1e-6 * convex["train_misfit"]).all()
    assert (convex["train_epsilon"] <= convex["epsilon"].fillna(np.inf) + 10).all()
    assert linear[["epsilon", "rho", "bound", "freedom", "train_epsilon", "train_bound"]].isna().all(axis=None)
    assert table[["train_weak_error", "train_gain", "train_misfit"]].notna().all(axis=None)
    known = convex.dropna(subset=["epsilon"])
    np.testing.assert_allclose(
        known["rho"] * np.sqrt(known["epsilon"] * known["misfit"]), known["cross_term"], rtol=1e-6
    )


def test_the_student_sees_no_label_beyond_its_molecules(bundles: dict[str, Bundle]) -> None:
    parts, given_labels = bundles["data"]["freesolv-r0"], bundles["labels"]["freesolv-r0"]["labels"]
    listed = bundles["labels"]["teachers-freesolv-r0"]
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
    data = {name: bundles["data"][name] for name in ("freesolv", "freesolv-r0")}
    listed = bundles["weak"]["teachers-freesolv-r0"]
    own = [teachers.Teacher(*row) for row in listed[listed["item"] == "smiles-8-seed-0"].itertuples(index=False)]
    asked = [("r0", teacher) for teacher in own if not teacher.control]
    unseen = np.setdiff1d(np.arange(642), data["freesolv-r0"]["teacher_half"][:10])
    arguments = (bundles["represent"], ("freesolv",), settings.weak.few_labels)
    before = weak.fit("freesolv", asked, data, *arguments)["predictions"]
    data["freesolv"]["labels"][unseen] = 1000.0
    after = weak.fit("freesolv", asked, data, *arguments)["predictions"]
    changed = [bool((old != new).any()) for old, new in zip(before, after, strict=True)]
    assert changed == [teacher.regime == teachers.FULL for _, teacher in asked] and len(set(changed)) == 2


def test_test_labels_move_no_student(bundles: dict[str, Bundle]) -> None:
    parts, molecules = bundles["data"]["freesolv-r0"], bundles["data"]["freesolv"]
    features, rows = bundles["represent"]["strong"]["freesolv"], fitting.molecules(parts, "half", "student")
    truth = molecules["labels"][None].copy()
    before = fitting.fit_ridge(features, truth, rows.train)
    truth[:, np.concatenate([parts["test"], parts["teacher_half"], parts["valid"]])] = np.nan
    after = fitting.fit_ridge(features, truth, rows.train)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    """Real features as wide as MiniMol's: Morgan counts of FreeSolv."""
    table_ = pd.read_csv(ROOT / "data/moleculenet/SAMPL.csv")
    return morgan.represent(table_["smiles"].to_list(), 512, 2).astype(np.float64)


@pytest.mark.parametrize("head", ["ball", "adamw"])
def test_features_moved_in_their_last_digits_move_no_prediction(
    bundles: dict[str, Bundle], counts: np.ndarray, head: str
) -> None:
    """Relative noise of 1e-6, what another processor's kernels make; labels of three teachers and the truth."""
    parts, truth = bundles["data"]["freesolv-122"], bundles["data"]["freesolv"]["labels"]
    weak_labels = bundles["weak"]["freesolv-122"]["predictions"][:3]
    targets, rows = np.concatenate([weak_labels, truth[None]]), fitting.molecules(parts, "half", "student")
    noise = np.random.default_rng(0).normal(size=counts.shape)

    def predictions(features: np.ndarray) -> np.ndarray:
        if head == "ball":
            return fitting.fit_ridge(features.astype(np.float32), targets, rows.train).predictions
        settings = AdamW(epochs=60, batch_size=32, learning_rate=0.001, weight_decay=0.01)
        order = np.random.default_rng(1)
        return fitting.fit_adamw(features.astype(np.float32), targets, rows, settings, order)

    moved = np.abs(predictions(counts * (1 + 1e-6 * noise)) - predictions(counts)).max()
    assert 0 < moved < 1e-3 * truth.std()


def test_a_ridge_student_is_the_projection_on_its_ball(bundles: dict[str, Bundle]) -> None:
    """So that the convex-class theorem speaks of it: least squares within the ball of its radius gives its head."""
    parts, features = bundles["data"]["freesolv-r0"], bundles["represent"]["strong"]["freesolv"]
    targets, own = bundles["weak"]["freesolv-r0"]["predictions"][:3], parts["student_half"]
    student = fitting.fit_ridge(features, targets, own)
    for row, radius in enumerate(student.radius):
        within = ball.fit(features[own], targets[row : row + 1, own], np.array([radius])).heads[0]
        np.testing.assert_allclose(
            ridge.predict(features, within)[0], student.predictions[row], atol=1e-6 * targets[row].std()
        )


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
    few = experiments.load("molecules").settings.weak.few_labels.model_copy(update={"learning_rate": 1e38})
    listed = bundles["weak"]["teachers-freesolv-r0"]
    row = listed[(listed["regime"] == "few") & (listed["training"] == "frozen")].iloc[0]
    words = (
        r"molecules, freesolv, split r0, teacher smiles-8 .*lower its learning_rate under weak in the block molecules"
    )
    with pytest.raises(InputError, match=words), experiments.load("molecules").named():
        weak.fit("freesolv", [("r0", teachers.Teacher(*row))], bundles["data"], bundles["represent"], (), few)


@pytest.mark.parametrize(
    ("block", "key", "value", "message"),
    [
        (
            "represent",
            "ladder",
            {**LADDER, "hidden_sizes": [8, 10]},
            r"molecules.represent.ladder: .*hidden size 10 must be a multiple of 4",
        ),
        (
            "represent",
            "strong",
            "molbert",
            r"molecules.represent.strong is 'molbert'; input should be 'minimol', 'hub'",
        ),
        ("represent", "masked", 1.5, r"molecules.represent.masked is 1.5"),
        ("data", "splits", {"chembench": ["125"], "random": 1}, r"molecules.data.splits.chembench\[0\] is '125'"),
        ("data", "splits", {"chembench": [], "random": 0}, r"molecules.data.splits is .*there is no split; name one"),
        ("represent", "ladder", {**LADDER, "further_seeds": [12]}, r"further_seeds holds 12, which hidden_sizes"),
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


@pytest.mark.parametrize(
    ("key", "message"),
    [("finetuning", "few_labels.finetuning.hidden_sizes holds 96"), ("control_size", "weak.control_size is 96")],
)
def test_sizes_of_teachers_must_be_rungs(bundles: dict[str, Bundle], tmp_path: Path, key: str, message: str) -> None:
    settings = experiments.load("molecules").settings
    few = settings.weak.few_labels
    tuning = few.finetuning.model_copy(update={"hidden_sizes": (96,)})
    changed = {
        "control_size": {"control_size": 96},
        "finetuning": {"few_labels": few.model_copy(update={"finetuning": tuning})},
    }[key]
    other = settings.weak.model_copy(update=changed)
    with pytest.raises(InputError, match=f"{message}, which is no rung"):
        weak.run(settings.model_copy(update={"weak": other}), bundles, parallel.Pool("test", tmp_path))


def test_labels_may_be_asked_of_one_kind_of_molecules_only(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    settings = experiments.load("molecules").settings
    same = settings.model_copy(update={"labels": settings.labels.model_copy(update={"inputs": ("same",)})})
    kept = labels.run(same, bundles, parallel.Pool("test", tmp_path))["teachers-freesolv-122"]
    assert set(kept.query("regime == 'full'")["inputs"]) == {"same"}
