"""Selective weak-to-strong generalization, from texts and clusters to cells, on a tiny set and a tiny network."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from transformers import AutoModelForCausalLM

from pipeline.core import cells, experiments, stage
from pipeline.core.errors import InputError
from pipeline.experiments.selective import data, evaluate, labels, represent
from pipeline.experiments.selective.common import graph, units
from pipeline.language import loading
from tests import small_study
from tests.conftest import Tiny
from tests.tiny_language import REVISION, save_model, write_lines

STUDY = "selective"
Block = dict[str, Any]


def save_tied(folder: Path) -> Path:
    """The tiny network, whose output matrix is its embedding matrix."""
    save_model(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    return folder


def text_set(folder: Path, name: str, words: tuple[str, str]) -> Block:
    """A set of questions, good where the last word is the second, but for every fifth."""
    rows = [
        {
            "ask": f"Q: {number} how do i fix cars {number} A: {words[number % 2]}",
            "good": (number + (number % 5 == 0)) % 2,
        }
        for number in range(130)
    ]
    return {
        "task": "classification",
        "source": {"pool": write_lines(folder / f"{name}.jsonl.xz", rows)},
        "columns": {"text": "ask", "label": "good"},
        "separator": " A: ",
        "sizes": {"truth": 40, "weak": 32, "test": 30},
        "validation": 20,
        "question": "{text} ! sure :",
        "answers": [" no", " gladly"],
        "shots": 2,
    }


def tiny(block: Block, model: Path, folder: Path) -> None:
    """Shrink the study to seconds."""
    sets = {"first": ("no", "gladly"), "second": ("bread", "cars")}
    sizes = {"truth": 60, "weak": 80, "validation": 30, "test": 50}
    block["data"].update(splits=[0, 1], seeds=[0, 1])
    block["data"]["datasets"] = {name: text_set(folder, name, words) for name, words in sets.items()}
    block["data"]["cases"] = {"clusters": block["data"]["cases"]["clusters"] | {"sizes": sizes}}
    views = {"low": (1, "mean"), "high": (2, "last")}
    block["represent"].update(
        models={"tiny": {"name": str(model), "revision": REVISION, "licence": "MIT"}},
        views={name: {"model": "tiny", "layer": layer, "pooling": way} for name, (layer, way) in views.items()},
        strong="high",
        answer="high",
        max_tokens=64,
    )
    block["weak"]["teachers"] = {
        "words": {"features": "tfidf", "labels": 40, "c": 1.0},
        "low": {"features": "low", "labels": 12, "c": 0.1},
    }
    block["labels"].update(taus=[0.0, 0.5, 1.0], coverages=[0.25, 1.0])
    block["labels"]["graph"]["neighbours"] = 4
    for fit in (block["labels"]["fit"], block["strong"]["fit"], block["strong"]["clusters"]):
        fit.update(epochs=2, batch_size=8)
    block["evaluate"].update(bins=4, resamples=100)


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
    tiny(settings[STUDY], model if model.exists() else save_tied(model), folder / "data")
    change(settings[STUDY])
    return settings


def test_rows_are_told_apart_and_keep_the_identity(home: Path) -> None:
    whole = table(home)
    assert not whole.duplicated([*cells.KEYS, *evaluate.KEYS]).any()
    np.testing.assert_allclose(whole["misfit"] - whole["gain"], whole["cross_term"], atol=1e-8)
    assert set(cells.controls(whole)["control"]) == {"shuffled_ik", "shuffled_labels", "constant"}
    assert set(whole["dataset"]) == {"first", "second", "clusters"}


def test_no_row_is_in_two_parts_nor_among_the_examples(home: Path) -> None:
    made = bundle(home, "data")
    for name in ("first.0", "first.1", "clusters.0"):
        rows = np.concatenate([made[name][part] for part in data.PARTS])
        assert len(np.unique(rows)) == len(rows) == (122 if name.startswith("first") else 220)
    assert not set(made["first.shots"]["text"]) & set(made["first"]["text"])
    assert made["first.shots"]["label"].to_list() == [0, 1]


def test_an_answer_has_the_log_odds_of_the_networks_own_output(home: Path) -> None:
    """Against the logits of the whole language model, one text at a time, without padding."""
    made, settings = bundle(home, "data"), experiments.load(STUDY, home / "params.yaml").settings
    chosen, tokenizer = settings.data.datasets["first"], loading.load(home / "model", "bfloat16").tokenizer
    whole = AutoModelForCausalLM.from_pretrained(home / "model", dtype=torch.bfloat16).eval()
    no, yes = (tokenizer(answer)["input_ids"][0] for answer in chosen.answers)
    for prompt, shots in (("zero", None), ("few", made["first.shots"])):
        texts = represent.prompts(made["first"]["text"][:5], chosen, shots)
        with torch.inference_mode():
            logits = [whole(**tokenizer(one, return_tensors="pt")).logits[0, -1].double() for one in texts]
        expected = [(row[yes] - row[no]).item() for row in logits]
        np.testing.assert_allclose(bundle(home, "represent")["first"][prompt][:5], expected, rtol=0.05, atol=0.002)


def test_thresholds_at_the_ends_leave_the_teacher_or_the_strong_model_alone(home: Path) -> None:
    own = table(home).query("panel == 'tau' and method == 'selection'")
    assert set(own.loc[own["level"] == 1, "share"]) == {0} and set(own.loc[own["level"] == 0, "share"]) == {1}
    naive = table(home).query("panel == 'main' and method == 'naive' and control.isna()")
    for key in ("first", "clusters"):
        ends = own[(own["dataset"] == key) & (own["level"] == 1)]
        same = naive[(naive["dataset"] == key) & (naive["weak"] == ends["weak"].iloc[0])]
        assert set(ends["student_accuracy"]) == set(same["student_accuracy"])


def test_the_threshold_is_that_of_the_most_right_labels_on_validation_rows(home: Path) -> None:
    settings = experiments.load(STUDY, home / "params.yaml").settings
    scores, knows, says = np.array([0.2, 0.6, 0.6, 0.9]), np.array([0, 1, 1, 1]), np.array([1, 1, 0, 0])
    assert labels.threshold(scores, knows, says, settings) == 0.5
    assert labels.threshold(scores, says, says, settings) == 1.0  # all the same: the teacher is trusted
    np.testing.assert_array_equal(labels.most(scores, 0.5), [False, True, False, True])


def test_shuffled_scores_are_the_same_on_other_rows(home: Path) -> None:
    made = bundle(home, "labels")["first.0"]
    own, shuffled = made["scores/own:first"], made["scores/shuffled_ik:first"]
    test = bundle(home, "data")["first.0"]["test"]
    assert (own[test] != shuffled[test]).any()
    np.testing.assert_array_equal(np.sort(own[test]), np.sort(shuffled[test]))


def test_labels_spread_as_the_closed_form_says(generator: np.random.Generator) -> None:
    x, own = generator.standard_normal((40, 3)), generator.integers(2, size=40)
    joined = graph.neighbours(x, 5, -1.0)
    dense = joined.toarray()
    cosine = (x @ x.T) / np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(x, axis=1))
    np.fill_diagonal(cosine, -2)
    nearest = cosine >= np.sort(cosine, axis=1)[:, [-5]]
    np.testing.assert_array_equal(dense, nearest | nearest.T)
    root = 1 / np.sqrt(dense.sum(axis=1))
    solved = np.linalg.solve(np.eye(40) - 0.8 * root[:, None] * dense * root, np.eye(2)[own])
    np.testing.assert_array_equal(graph.spread(joined, own, 0.8, "here"), solved.argmax(axis=1))


def test_isolated_points_are_refused(generator: np.random.Generator) -> None:
    lonely = csr_array(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]]))
    with pytest.raises(InputError, match="1 of 3 points .* no neighbour, the first is row 2; lower labels.graph.sim"):
        graph.spread(lonely, np.array([0, 1, 1]), 0.8, "here")


def test_clusters_are_wrong_and_known_in_the_shares_asked_for(home: Path) -> None:
    case = experiments.load(STUDY, home / "params.yaml").settings.data.cases["clusters"]
    sizes = dict.fromkeys(data.PARTS, 5000)
    drawn = data.drawn("clusters", case.model_copy(update={"sizes": sizes}), 0)
    right = ((drawn["own"] > 0) == (drawn["label"] > 0.5)).mean()
    assert abs((drawn["said"] == drawn["label"]).mean() - (0.75 * 0.7 + 0.25 * 0.3)) < 0.03
    assert abs(right - (0.5 * 0.95 + 0.5 * 0.5)) < 0.03


@pytest.mark.parametrize(
    ("change", "verbs", "message"),
    [
        (
            lambda b: b["labels"].update(taus=[0.5, 1.5]),
            ("data",),
            r"labels.taus\[1\] is 1.5; input should be less than",
        ),
        (
            lambda b: b["labels"]["graph"].update(neighbours=32),
            ("data",),
            "neighbours is 32; first has 32 rows for weak",
        ),
        (
            lambda b: b["labels"]["graph"].update(similarity=1.0),
            ("labels",),
            r"points of the graph have no neighbour.* labels.graph.similarity in studies/selective.yaml or",
        ),
        (lambda b: b["data"]["datasets"]["first"]["columns"].pop("label"), ("data",), "needs label as well"),
        (lambda b: b["data"]["datasets"]["first"].update(question="sure :"), ("data",), "let it hold {text} once"),
        (
            lambda b: b["data"]["datasets"]["first"].update(answers=[" no", " sure gladly"]),
            ("represent",),
            "is 2 tokens",
        ),
        (lambda b: b["represent"]["views"]["high"].update(layer=1), ("represent",), "layer 1 is not the last of tiny"),
        (lambda b: b["represent"].update(strong="top"), ("data",), "represent.strong is 'top', which is not in"),
    ],
)
def test_bad_input_is_told(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, verbs: tuple[str, ...], message: str
) -> None:
    (tmp_path / "artifacts").symlink_to(home / "artifacts") if verbs != ("data",) else None
    small_study.settle(tmp_path, monkeypatch, small(tmp_path, change))
    with pytest.raises(InputError, match=message):
        stage.run(verbs[0], STUDY)


def test_answers_that_are_all_right_teach_no_p_ik(home: Path) -> None:
    settings = experiments.load(STUDY, home / "params.yaml").settings
    unit = units.Unit("clusters", 0, True)
    rows = dict(bundle(home, "data")["clusters.0"])
    views = {"features": rows["x"], "own": np.where(rows["label"] > 0.5, 1.0, -1.0)}
    with pytest.raises(InputError, match="all 60 answers of the strong model that P.IK. could learn from are right"):
        labels.p_ik(unit, settings, {"clusters.0": rows}, {"clusters.0": views})
