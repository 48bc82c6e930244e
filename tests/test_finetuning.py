"""Finetuning along training, from texts to cells, on a tiny set and a tiny network; parts, controls, kept runs."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.core import cells, experiments
from pipeline.core.errors import InputError
from pipeline.experiments.finetuning import data, evaluate
from pipeline.experiments.finetuning.common import training
from pipeline.language import following, loading
from pipeline.language.following import Classifier, Training
from pipeline.summary.estimates import over_units_and_rows
from tests import small_study
from tests.conftest import Tiny
from tests.tiny_language import REVISION, WORDS, save_model, write_lines

STUDY = "finetuning"
Block = dict[str, Any]


def tiny(block: Block, model: Path, folder: Path) -> None:
    """Shrink the study to seconds: phrases of seven words, cut from sentences that a number in them makes different."""
    stream, rows = np.random.default_rng(0), []
    for sentence in range(90):
        good = sentence % 2
        words = [
            *stream.choice(WORDS[:9], 5),
            str(sentence),
            ("no", "gladly")[good],
            str(sentence),
            str(sentence + 1000),
        ]
        rows += [{"text": " ".join(words), "label": good}, {"text": " ".join(words[1:]), "label": good}]
    block["data"].update(seeds=[0, 1])
    block["data"]["datasets"]["sst2"] |= {
        "source": {"pool": write_lines(folder / "phrases.jsonl.xz", rows)},
        "shared_words": 7,
        "sizes": {"truth": 40, "weak": 32, "test": 24},
        "validation": 10,
    }
    block["represent"].update(
        models={"tiny": {"name": str(model), "revision": REVISION, "licence": "MIT"}},
        views={"low": {"model": "tiny", "layer": 1, "pooling": "mean"}},
        max_tokens=24,
    )
    block["weak"]["teachers"] = {
        "words": {"features": "tfidf", "labels": 40, "c": 1.0},
        "low": {"features": "low", "labels": 12, "c": 0.1},
    }
    block["weak"]["controls"].update(kinds=["random", "shuffled", "teachers_labels", "itself"], seeds=[0])
    block["labels"]["kinds"] = ["soft", "hard"]
    block["strong"].update(model="tiny", epochs=[0.5, 1, 2], batch_size=8, micro_batch=3, learning_rate=0.01)
    block["evaluate"].update(bins=4, resamples=100)


run = partial(small_study.run, STUDY)
table = partial(small_study.table, STUDY)
bundle = partial(small_study.bundle, STUDY)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in which every verb has run once."""
    folder = tmp_path_factory.mktemp(STUDY)
    return small_study.ran(STUDY, folder, small(folder))


def small(folder: Path, change: Callable[[Block], None] = lambda block: None) -> Tiny:
    """Settings of the tiny study, changed at will; its network and data lie in the folder."""
    settings, model = Tiny(), folder / "model"
    tiny(settings[STUDY], model if model.exists() else save_model(model), folder / "data")
    change(settings[STUDY])
    return settings


def settle(folder: Path, patch: pytest.MonkeyPatch, change: Callable[[Block], None] = lambda block: None) -> None:
    """Work in a folder that holds it."""
    small_study.settle(folder, patch, small(folder, change))


def test_every_student_has_a_row_a_look_and_one_where_it_would_stop(home: Path) -> None:
    whole = table(home)
    own = cells.without_controls(whole)
    expected = {(weak, kind, seed) for weak in ("words", "low") for kind in ("soft", "hard") for seed in (0, 1)}
    for panel, count in (("along", 3), ("stopped", 1)):
        rows = own[own["panel"] == panel].groupby(["weak", "labels", "seed"]).size()
        assert set(rows.index) == expected and set(rows) == {count}
    assert not whole.duplicated([*cells.KEYS, *evaluate.KEYS]).any()
    np.testing.assert_allclose(whole["misfit"] - whole["gain"], whole["cross_term"], atol=1e-8)
    assert (whole["pgr"].isna() == (whole["pgr_defined"] == 0)).all()


def test_the_stop_is_the_look_of_the_least_loss_on_weak_labels(home: Path) -> None:
    own = table(home).query("labels != 'true'").set_index(["weak", "labels", "control", "seed"]).sort_index()
    for key in set(own.index):
        rows = own.loc[[key]]
        along, stopped = rows[rows["panel"] == "along"], rows[rows["panel"] == "stopped"].iloc[0]
        best = along.iloc[int(along["weak_validation"].argmin())]
        assert (stopped["epoch"], stopped["student_error"]) == (best["epoch"], best["student_error"])


def test_controls_are_of_their_seeds_only_and_none_shares_the_teachers_labels(home: Path) -> None:
    controls = cells.controls(table(home))
    assert set(controls["control"]) == {"random", "shuffled", "teachers_labels", "itself"}
    assert set(controls["seed"]) == {0}
    taught, labels = bundle(home, "weak")["sst2.0"], bundle(home, "labels")["sst2.0"]
    assert sorted(taught["shuffled/weak"]) == sorted(taught["words/weak"])
    assert (taught["shuffled/weak"] != taught["words/weak"]).mean() > 0.5
    assert set(labels) == {"words/soft", "words/hard", "low/soft", "low/hard", "random/soft", "shuffled/soft"}
    assert set(labels["low/hard"]) <= {0.0, 1.0}
    assert set(controls[controls["labels"] == "true"]["panel"]) == {"along"}
    counts = controls[controls["control"] == "teachers_labels"].groupby("weak")["n_train"].first()
    assert counts.to_dict() == {"words": 40, "low": 12}


def test_no_family_is_in_two_parts_and_the_test_is_the_same_for_all_seeds(home: Path) -> None:
    found = bundle(home, "data")
    families = found["sst2"]["family"].to_numpy()
    for seed in (0, 1):
        parts = {part: set(families[rows]) for part, rows in found[f"sst2.{seed}"].items()}
        assert sum(map(len, parts.values())) == len(set.union(*parts.values()))
        assert len(parts["test"]) == 24 and len(parts["validation"]) == 10  # a row a family
    first, second = found["sst2.0"], found["sst2.1"]
    assert (first["test"] == second["test"]).all() and (first["validation"] == second["validation"]).all()
    assert set(first["weak"]) != set(second["weak"])


def test_families_are_joined_through_others() -> None:
    texts = ["a b c d", "b c d e", "c d e f", "a b x y", "z"]
    family = data.families(texts, 3)
    assert len({*family[:3]}) == 1 and len({*family}) == 3


def test_a_network_that_was_trained_is_not_trained_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    once = (home / f"artifacts/results/{STUDY}/cells.csv").read_bytes()
    settle(home, monkeypatch, lambda block: block["evaluate"].update(bins=5))
    monkeypatch.setattr(following, "follow", lambda *_: pytest.fail("trained again"))
    run("strong", "evaluate")
    settle(home, monkeypatch)
    run("strong", "evaluate")
    assert (home / f"artifacts/results/{STUDY}/cells.csv").read_bytes() == once
    settle(home, monkeypatch, lambda block: block["strong"].update(learning_rate=0.02))
    with pytest.raises(pytest.fail.Exception, match="trained again"):
        run("strong")


def test_following_is_plain_adamw_and_looks_do_not_touch_it(home: Path) -> None:
    """Against a loop of torch's own, whole batches; micro-batches only change the rounding."""
    texts, labels = [f"how do i fix {word}" for word in WORDS[:6]], np.array([0.0, 1, 0, 0.4, 1, 1])
    batches = [np.array([0, 1, 2, 3]), np.array([4, 5]), np.array([5, 3, 1, 0])]
    settings = Training("cross_entropy", 2, 0.01, 0.1, "last", 24, False, 3)
    found = following.follow(
        loading.load(home / "model", "float32"),
        texts,
        labels,
        batches,
        [1, 3],
        settings,
        ({"own": texts}, {"end": texts}),
        "",
    )
    model = Classifier(loading.load(home / "model", "float32"), settings)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    for rows in batches:
        optimiser.zero_grad()
        target = torch.tensor(labels[rows], dtype=torch.float32)
        torch.nn.functional.binary_cross_entropy_with_logits(model([texts[row] for row in rows]), target).backward()
        optimiser.step()
    plain = torch.sigmoid(model(texts)).detach().numpy()
    np.testing.assert_allclose(found["end"], plain, atol=2e-4)
    np.testing.assert_array_equal(found["own"][1], found["end"])
    assert found["own"].shape == (2, 6) and np.abs(found["own"][0] - plain).max() > 0.01


def test_fewer_rows_take_as_many_steps_and_every_row_is_seen_equally_often() -> None:
    settings = experiments.load(STUDY).settings.strong.model_copy(update={"epochs": (0.5, 3.0), "batch_size": 8})
    run = training.Run("sst2", 0, tuple("abcdefghij"), np.zeros(10), 32, {}, {})
    steps, looks = training.batches(run, settings)
    assert len(steps) == 12 and looks == [2, 12]
    assert set(np.bincount(np.concatenate(steps))) == {6}


def test_row_errors_are_those_of_the_mean_over_seeds() -> None:
    stream = np.random.default_rng(0)
    hits = [(stream.integers(-1, 2, 50).astype(float), stream.integers(-1, 2, 50).astype(float)) for _ in range(3)]
    same = {"dataset": "a", "weak": "b", "labels": "soft", "control": "", "panel": "along", "epoch": 1.0}
    made = evaluate.with_row_errors(pd.DataFrame([same] * 3).assign(hits=hits))
    for place, name in enumerate(("gain_row_error", "change_row_error")):
        mean = np.mean([own[place] for own in hits], axis=0)
        np.testing.assert_allclose(made[name], np.sqrt(((mean - mean.mean()) ** 2).sum() / 49 / 50))


def test_a_teacher_at_chance_is_marked() -> None:
    truth = np.arange(200) % 2 > 0
    assert not evaluate.above_chance(np.full(200, 0.7), truth, 0.95)
    assert evaluate.above_chance(np.where(truth, 0.6, 0.4), truth, 0.95)


def change(*path: str, value: Any) -> Callable[[Block], None]:
    def changed(block: Block) -> None:
        for key in path[:-1]:
            block = block[key]
        block[path[-1]] = value

    return changed


SETS = ("data", "datasets", "sst2")
BAD = {
    "features": (
        change("weak", "teachers", "low", "features", value="deep"),
        "low.features is 'deep'; choose from tfidf, low",
    ),
    "labels": (change("weak", "teachers", "low", "labels", value=41), "low.labels is 41; sst2 has 40 for truth"),
    "epochs": (change("strong", "epochs", value=[1, 0.5]), "let them rise and end with a whole number"),
    "loss": (change("strong", "loss", value="confidence"), "needs whole batches"),
    "seed": (change("weak", "controls", "seeds", value=[7]), "holds 7, which is not in data.seeds"),
    "model": (change("strong", "model", value="big"), "strong.model is 'big', which is not in represent.models"),
    "sizes": (change(*SETS, "sizes", "weak", value=90), "too few for its parts; lower data.datasets.sst2.sizes"),
    "source": (change(*SETS, "task", value="preference"), "a set of the task preference needs chosen"),
}


@pytest.mark.parametrize("how", BAD)
def test_bad_settings_are_one_line(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil, words = BAD[how]
    settle(tmp_path, monkeypatch, spoil)
    with pytest.raises(InputError, match=words) as error:
        run("data")
    assert "\n" not in str(error.value)


def test_the_interval_for_new_seeds_and_new_rows_covers() -> None:
    """Of five seeds on the same 200 rows, as hits vary by seed, by row and by both: at least 93 % of 400 draws."""
    stream, held = np.random.default_rng(1), 0
    for _ in range(400):
        seeds, rows = stream.normal(0, 0.03, (5, 1)), stream.normal(0, 0.4, 200)
        values = seeds + rows + stream.normal(0, 0.3, (5, 200))
        mean = values.mean(axis=0)
        found = over_units_and_rows(values.mean(axis=1).tolist(), mean.std(ddof=1) / np.sqrt(200), 0.95)
        held += found.low <= 0 <= found.high
    assert 0.93 <= held / 400 < 1
    assert np.isinf(over_units_and_rows([0.1], 0.1, 0.95).high)
