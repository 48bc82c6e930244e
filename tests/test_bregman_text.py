"""Mixed heads on frozen features of texts, from texts to cells, on a tiny set and a tiny network; bad input."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pipeline.core import cells, experiments
from pipeline.core.errors import InputError
from pipeline.experiments import bregman_text as study
from tests import small_study
from tests.conftest import Tiny
from tests.tiny_language import REVISION, WORDS, save_model, write_lines

NAME = "bregman_text"
SST2 = {"model": "minilm", "layer": 6, "pooling": "mean"}


def tiny(folder: Path, **sizes: int) -> Tiny:
    """Questions of five words, each once with a right and once with a wrong answer."""
    settings, stream, rows = Tiny(), np.random.default_rng(0), []
    for number in range(70):
        question = " ".join([*stream.choice(WORDS[:9], 5), str(number)])
        rows += [{"txt": f"Q: {question} A: {word}", "label": label} for label, word in enumerate(("no", "gladly"))]
    block = settings[NAME]
    sciq = block["data"]["datasets"]["sciq"]
    sciq |= {"source": {"pool": write_lines(folder / "data/q.jsonl.xz", rows)}}
    sciq |= {"sizes": {"truth": 20, "weak": 24, "test": 22} | sizes}
    block["data"] |= {"splits": 2, "datasets": {"sciq": sciq}}
    block["represent"] |= {
        "models": {"tiny": {"name": str(save_model(folder / "model")), "revision": REVISION, "licence": "MIT"}},
        "views": {"sciq": {"model": "tiny", "layer": 2, "pooling": "last"}},
        "weak": 3,
    }
    block["weak"] |= {"steps": 20, "batch_size": 10}
    block["strong"] |= {"steps": 20, "batch_size": 10, "heads": [1, 3], "forward_heads": [1], "control_heads": [3]}
    return settings


bundle = partial(small_study.bundle, NAME)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in which every verb has run once."""
    folder = tmp_path_factory.mktemp(NAME)
    return small_study.ran(NAME, folder, tiny(folder))


def test_every_student_has_a_row_on_new_texts_and_on_its_own(home: Path) -> None:
    table = small_study.table(NAME, home)
    assert not table.duplicated([*cells.KEYS, *study.KEYS]).any() and len(table) == 2 * 2 * 4
    np.testing.assert_allclose(table["misfit"] - table["gain"], table["cross_term"], atol=1e-8)
    assert table.groupby("inputs")["n_eval"].unique().map(list).to_dict() == {"fresh": [22], "reused": [24]}
    assert set(cells.controls(table)["heads"]) == {3}


def test_parts_share_no_question_and_splits_part_them_anew(home: Path) -> None:
    data = bundle(home, "data")
    questions = data["sciq"]["text"].str.rsplit(" A: ", n=1).str[0]
    assert questions.is_unique and len(questions) == 66
    for split in (0, 1):
        parts = [data[f"sciq.{split}"][f"rows.{part}"] for part in study.PARTS]
        assert sorted(np.concatenate(parts)) == list(range(66))
    assert set(data["sciq.0"]["rows.test"]) != set(data["sciq.1"]["rows.test"])
    labels = data["sciq"]["label"].to_numpy()[data["sciq.0"]["rows.test"]]
    np.testing.assert_array_equal(data["sciq.0"]["truth.test"], np.stack([1 - labels, labels], axis=1))


def test_views_are_scaled_by_the_teachers_rows_and_the_control_gives_the_same_answers(home: Path) -> None:
    views, labels = bundle(home, "represent")["sciq.0"], bundle(home, "labels")["sciq.0"]
    assert views["weak.test"].shape == (22, 3) and views["strong.student"].shape == (24, 16)
    for role in ("weak", "strong"):
        np.testing.assert_allclose(views[f"{role}.teacher"].mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(views[f"{role}.teacher"].std(axis=0), 1, atol=1e-3)
    shuffled, own = labels["shuffled"], labels["teacher"]
    assert (shuffled != own).any() and sorted(shuffled[:, 0]) == sorted(own[:, 0])


def test_too_few_families_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="text set 'sciq': 70 families of texts are fewer than the 84 rows of its parts"
    ):
        small_study.ran(NAME, tmp_path, tiny(tmp_path, test=40), "data")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bregman_text__represent__views__sst2__model": "gpt"}, "views.sst2.model is 'gpt', which is not in"),
        ({"bregman_text__represent__views": {"sst2": SST2}}, "represent.views has none of sciq; add it"),
        ({"bregman_text__strong__heads": [0]}, r"strong.heads\[0\] is 0; .*greater than or equal to 1"),
    ],
)
def test_settings_that_cannot_hold_are_one_line(change: dict, words: str, write_params: Callable[..., None]) -> None:
    write_params(**change)
    with pytest.raises(InputError, match=words):
        experiments.load(NAME)
