"""Answers of a language model in context: the kept context against a plain loop, scores by hand, a tiny study."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.core import cells, experiments
from pipeline.core.errors import InputError
from pipeline.experiments import refinement_lm as study
from pipeline.language import answering, loading
from tests import small_study
from tests.conftest import Tiny
from tests.tiny_language import REVISION, WORDS, save_model, write_lines

NAME = "refinement_lm"


def tied(folder: Path) -> Path:
    """A model whose words enter and leave by one matrix, with `no` at the end of texts."""
    save_model(folder)
    for name, changes in (
        ("config.json", {"tie_word_embeddings": True}),
        ("tokenizer_config.json", {"eos_token": "no"}),
    ):
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def test_answers_after_a_kept_context_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    """One question at a time, the whole text anew for every token; questions and options of unequal lengths."""
    loaded = loading.load(tied(tmp_path / "model"), "float32")
    context, questions = "how do i bake bread ? sure !", ["steal", "fix cars bikes sorry", "do i fix"]
    options = [[" bread !", " cars bikes bikes !"], [" sure !", " sorry !"], [" bikes bikes !", " do !"]]
    with torch.no_grad():
        for weights in loaded.network.layers.parameters():
            weights *= 20  # as drawn they are so small that every word is answered with itself
    texts, likelihood = answering.answered(loaded, context, questions, options, "gladly :", 5)

    @torch.no_grad()
    def after(tokens: list[int]) -> torch.Tensor:
        states = loaded.network(input_ids=torch.tensor([tokens])).last_hidden_state[0]
        return (states @ loaded.network.get_input_embeddings().weight.T).log_softmax(dim=-1)

    for row, question in enumerate(questions):
        asked = loaded.tokenizer(f"{context} {question}")["input_ids"]
        tokens = list(asked)
        while len(tokens) < len(asked) + 5 and tokens[-1] != loaded.tokenizer.eos_token_id:
            tokens.append(int(after(tokens)[-1].argmax()))
        assert texts[row] == loaded.tokenizer.decode(tokens[len(asked) :], skip_special_tokens=True)
        for place, option in enumerate(options[row]):
            given = loaded.tokenizer(option)["input_ids"]
            whole = asked + loaded.tokenizer("gladly :")["input_ids"] + given
            log = after(whole)[-len(given) - 1 : -1].gather(1, torch.tensor(given)[:, None])
            assert likelihood[row, place] == pytest.approx(float(log.mean()), abs=1e-5)
    assert len(set(texts)) > 1


def test_a_head_that_is_not_loaded_is_told_of(tmp_path: Path) -> None:
    loaded = loading.load(save_model(tmp_path / "model"), "float32")
    with pytest.raises(InputError, match="tie_word_embeddings is false"):
        answering.answered(loaded, "how", ["do"], [["i"]], ":", 1)


def tiny(folder: Path) -> Tiny:
    settings, stream = Tiny(), np.random.default_rng(0)
    rows = [
        {"question": f"how do i {number} ?", **dict(zip(study.OPTIONS, stream.permutation(WORDS[:9]), strict=False))}
        for number in range(24)
    ]
    block = settings[NAME]
    block["data"] |= {"seeds": [0, 3], "source": write_lines(folder / "data/q.jsonl.xz", rows), "asked": 5, "shown": 6}
    model = {"name": str(tied(folder / "model")), "revision": REVISION, "licence": "MIT"}
    block["represent"] |= {"model": model, "precision": "float32", "tokens": 4}
    block["labels"] = {"n_icl": [1, 3], "control_n_icl": [3], "contexts": 2}
    return settings


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in which every verb has run once."""
    folder = tmp_path_factory.mktemp(NAME)
    return small_study.ran(NAME, folder, tiny(folder))


def test_every_method_has_a_row_a_seed_and_size(home: Path) -> None:
    table = small_study.table(NAME, home)
    assert not table.duplicated([*cells.KEYS, *study.KEYS]).any()
    np.testing.assert_allclose(table["misfit"] - table["gain"], 2 * table["cross_term"], atol=1e-9)
    sizes = table.groupby("method")["n_icl"].unique().map(list).to_dict()
    assert sizes == {"in_context": [1, 3], "untuned": [0], "teacher": [0], "shuffled": [3], "gold": [3]}
    assert set(cells.without_controls(table)["method"]) == {"in_context"} and set(table["seed"]) == {0, 3}


def test_no_question_is_of_two_seeds_and_sources_share_their_contexts(home: Path) -> None:
    data = small_study.bundle(NAME, home, "data")
    assert not set(data["seed-0"]["question"]) & set(data["seed-3"]["question"])
    settings = study.Settings.model_validate_json(json.dumps(_json(home)))
    shown = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "answers", lambda own, table, groups: groups)
        for source in study.SOURCES:
            shown[source] = study.refine(0, source, 3, settings, data["seed-0"], np.ones(11, int))
    asked = [[question for question, _ in context] for context, _ in shown["gold"]]
    assert all([[question for question, _ in context] for context, _ in own] == asked for own in shown.values())
    facts = data["seed-0"].set_index("question")
    for source, column in (("gold", "correct_answer"), ("weak", "distractor1")):
        for context, _ in shown[source]:
            assert [answer for _, answer in context] == [f"Verdict: {facts.loc[one, column]}." for one, _ in context]
    assert not {one for context in asked for one in context} & set(facts.query("part == 'asked'").index)


def _json(home: Path) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        return experiments.load(NAME).settings.model_dump(mode="json")


def test_content_style_and_what_is_written_are_scored_apart() -> None:
    own = study.Represent.model_construct(opening="Verdict:", closing=".")
    asked = study.pd.DataFrame({"correct_answer": ["Venom", "sun", "cell", "ion"]})
    written = ["Verdict: venom.", "The sun.", "Verdict: two cells. Or one.", "Verdict: lion."]
    likelihood = np.array([[-1.0, -2, -3, -4], [-2, -1, -3, -4], [-4, -1, -2, -3], [-1, -1, -1, -1]])
    found = study.scores(
        own, asked, {"written": np.frombuffer("\0".join(written).encode(), np.uint8), "likelihood": likelihood}
    )
    np.testing.assert_allclose(found, [[1, 2 / 3, 0, 0], [1, 0, 0, 1], [1, 1, 0, 0]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"refinement_lm__labels__n_icl": [0, 2]}, r"labels.n_icl\[0\] is 0; .*greater than or equal to 1"),
        (
            {"refinement_lm__labels__n_icl": [101]},
            "labels.n_icl 101 exceeds the questions for contexts, data.shown 100",
        ),
        ({"refinement_lm__labels__contexts": 31}, "labels.contexts 31 exceeds data.asked 30; each needs a question"),
        ({"refinement_lm__weak__wrong": 1.2}, "weak.wrong is 1.2; .*less than or equal to 1"),
    ],
)
def test_settings_that_cannot_hold_are_one_line(change: dict, words: str, write_params: Callable[..., None]) -> None:
    write_params(**change)
    with pytest.raises(InputError, match=words):
        experiments.load(NAME)
