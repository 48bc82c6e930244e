"""Language models that the pipeline pretrains: corpora, tokenizer, networks, the stage, and the study built on it."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from pipeline import pretrain
from pipeline.core import cells, experiments, stage
from pipeline.core.errors import InputError
from pipeline.core.experiments import VERBS
from pipeline.language import loading
from pipeline.scale import corpora, language, tokenizing, training
from tests.conftest import ROOT, Tiny
from tests.tiny_language import save_model, tiny_preferences
from tests.tiny_pretraining import SHAPES, documents, tiny_pretraining, write_corpus

STUDY = "preferences_gpu"
HOME = Path("artifacts/pretrain") / STUDY
Block = dict[str, Any]
# Parameters of the published Pythia models, whose vocabulary is 50,304.
PYTHIA = {"14m": 14067712, "31m": 30494720, "70m": 70426624, "160m": 162322944, "410m": 405334016}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tokenizing.trained(documents("talk") + documents("tales"), 280)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Work in an empty folder with tiny corpora, sets and params.yaml; call it to change the study's block."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("W2S_WORKERS", "1")
    monkeypatch.setenv("W2S_DEVICE", "cpu")
    monkeypatch.setenv("W2S_MIRROR", str(tmp_path / "mirror"))
    params = Tiny()
    block = params[STUDY]
    tiny_preferences(block, save_model(tmp_path / "model"), tmp_path / "data")
    tiny_pretraining(block["pretrain"], tmp_path / "data")
    block["strong"]["full"]["seeds"] = [0]

    def write(change: Callable[[Block], None] = lambda block: None) -> None:
        change(block)
        params.write(tmp_path)

    write()
    return write


def test_corpora_are_parted_by_lines_and_held_out_by_documents(tmp_path: Path) -> None:
    texts = documents("talk", 120)
    write_corpus(tmp_path, "talk", texts)
    read = corpora.documents(tmp_path / "talk.txt.xz")
    assert read == texts
    parts = corpora.divided("talk", read, seed=0)
    assert len(parts.held_out) == 2 and sorted(parts.held_out + parts.training) == sorted(texts)
    assert corpora.divided("talk", read, seed=1).held_out != parts.held_out
    with pytest.raises(InputError, match="corpus 'talk' has 1 documents"):
        corpora.divided("talk", texts[:1], seed=0)


def test_rows_are_full_and_corpora_keep_their_shares(tokenizer: Tokenizer) -> None:
    texts = {name: documents(name) for name in ("talk", "tales")}
    rows = corpora.training_rows(tokenizer, texts, {"talk": 3.0, "tales": 1.0}, 1024, 16)
    assert rows.shape == (64, 16) and rows.dtype == np.uint16
    parts = {"talk": rows[:48].ravel(), "tales": rows[48:].ravel()}
    for name, tokens in parts.items():
        expected = "".join(corpora.SEPARATOR + text for text in texts[name])
        assert expected.startswith(tokenizer.decode(tokens.tolist(), skip_special_tokens=False))
    short = corpora.training_rows(tokenizer, {"talk": texts["talk"][:1]}, {"talk": 1.0}, 1024, 16)
    length = len(tokenizer.encode(texts["talk"][0]).ids) + 1
    np.testing.assert_array_equal(short.ravel()[length : 2 * length], short.ravel()[:length])


def test_every_held_out_document_gives_as_much(tokenizer: Tokenizer) -> None:
    rows = corpora.held_out_rows(tokenizer, documents("talk", 8), 128, 16)
    assert rows.shape == (8, 16) and (rows[:, 0] == tokenizer.token_to_id(corpora.SEPARATOR)).all()
    with pytest.raises(InputError, match="less than one row of 512"):
        corpora.held_out_rows(tokenizer, documents("talk", 2), 128, 512)


def test_rows_come_once_before_any_comes_again() -> None:
    order = corpora.order(0, 10, 25)
    assert sorted(order[:10]) == sorted(order[10:20]) == list(range(10)) and order[:10].tolist() != sorted(order[:10])


def test_the_tokenizer_is_the_same_twice_and_knows_every_text(tokenizer: Tokenizer) -> None:
    again = tokenizing.trained(documents("talk") + documents("tales"), 280)
    assert again.to_str() == tokenizer.to_str() and tokenizer.get_vocab_size() == 280
    for text in ("How do I fix Brötchen?", " \n\nHuman: 日本\tno"):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
    with pytest.raises(InputError, match="lower pretrain.vocabulary"):
        tokenizing.trained(["no no no"], 400)


@pytest.mark.parametrize("name", PYTHIA)
def test_the_shapes_are_those_of_pythia(name: str) -> None:
    one = experiments.load(STUDY, ROOT / "params.yaml").settings.pretrain.models[f"neox-{name}"]
    with torch.device("meta"):
        made = language.network(language.Shape(one.layers, one.hidden, one.heads, one.intermediate), 50304, 2048, 0)
    assert language.sizes(made)["parameters"] == PYTHIA[name]


def test_weights_begin_as_those_of_pythia_and_the_loss_is_that_of_the_next_token() -> None:
    made = language.network(language.Shape(4, 64, 4, 256), 280, 16, 0)
    layer = made.gpt_neox.layers[0]
    assert float(layer.mlp.dense_h_to_4h.weight.detach().std()) == pytest.approx(math.sqrt(2 / (5 * 64)), rel=0.03)
    assert float(layer.mlp.dense_4h_to_h.weight.detach().std()) == pytest.approx(2 / (4 * 8), rel=0.03)
    rows = torch.randint(0, 280, (3, 16), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logs = made(rows).logits.log_softmax(-1)
        expected = -sum(float(logs[i, t, rows[i, t + 1]]) for i in range(3) for t in range(15))
    assert language.next_token_loss(made, rows).item() == pytest.approx(expected, rel=1e-5)
    assert language.held_out_loss(made, rows.numpy()) == pytest.approx(expected / 45, rel=1e-5)


def test_pretraining_learns_and_runs_once(study: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    pretrain.run(STUDY)
    records = {name: json.loads((HOME / name / "pretraining.json").read_text()) for name in SHAPES}
    for record in records.values():
        assert record["steps"] == 12 and record["tokens"] == 1536 and len(record["curve"]["loss"]) == 12
        assert record["curve"]["loss"][-1] < record["curve"]["loss"][0] - 0.5
        assert set(record["held_out"]) == {"talk", "tales"}
        for one in record["held_out"].values():
            assert one["perplexity"] == pytest.approx(math.exp(one["loss"]), rel=1e-4)
    assert (HOME / "small/tokenizer.json").read_bytes() == (HOME / "large/tokenizer.json").read_bytes()
    loaded = loading.load(HOME / "large", "float32")
    assert (loaded.hidden, loaded.layers) == (32, 2)
    assert not list(Path("artifacts/partial").rglob("*.safetensors"))
    assert Path(f"artifacts/runtime/throughput/{STUDY}/pretrain-large.json").exists()
    monkeypatch.setattr(training, "train", None)  # calling it would fail
    pretrain.run(STUDY)
    study(lambda block: block["pretrain"]["models"].pop("small"))
    pretrain.run(STUDY)
    assert [path.name for path in HOME.iterdir()] == ["large"]


def killed_at(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    monkeypatch.setenv("W2S_CHECKPOINT_SECONDS", "0")
    after = training.Keeper.after

    def cut(self: training.Keeper, done: int) -> None:
        after(self, done)
        if done == steps:
            raise KeyboardInterrupt

    monkeypatch.setattr(training.Keeper, "after", cut)


def test_a_killed_pretraining_goes_on_to_the_same_bytes(
    study: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrain.run(STUDY)
    whole = {path.name: path.read_bytes() for path in (HOME / "large").iterdir()}
    shutil.rmtree(HOME)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        killed_at(patch, 5)
        pretrain.run(STUDY)
    assert not HOME.exists() and list(Path("artifacts/partial").rglob("state.safetensors"))
    with monkeypatch.context() as patch:
        patch.setattr(corpora, "documents", None)  # tokenizer and rows are kept too
        pretrain.run(STUDY)
    assert {path.name: path.read_bytes() for path in (HOME / "large").iterdir()} == whole


def test_the_study_runs_from_corpora_to_cells(study: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    def change(block: Block) -> None:
        block["data"]["datasets"].pop("questions")
        block["weak"]["seeds"] = [0]
        block["labels"]["noise"] = [0.0]
        block["strong"].update(losses=["cross_entropy"], noise_losses=["cross_entropy"])
        block["represent"].update(
            models={name: {"pretrained": f"{STUDY}/{name}", "licence": "MIT"} for name in SHAPES},
            ladder={
                "low": {"model": "small", "layer": 1, "pooling": "last"},
                "middle": {"model": "large", "layer": 1, "pooling": "last"},
                "high": {"model": "large", "layer": 2, "pooling": "mean"},
            },
            float32_rows={},
        )

    study(change)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        killed_at(patch, 3)
        pretrain.run(STUDY)
    with pytest.raises(
        InputError, match="small is missing; name small under pretrain.models of the study preferences_gpu"
    ):
        [stage.run(verb, STUDY) for verb in VERBS[:2]]
    pretrain.run(STUDY)
    for verb in VERBS:
        stage.run(verb, STUDY)
    table = cells.read(Path(f"artifacts/results/{STUDY}/cells.csv"))
    assert set(table["experiment"]) == {STUDY} and {"frozen", "full"} <= set(table["head"])
    metrics = json.loads(Path(f"artifacts/results/{STUDY}/metrics.json").read_text())
    assert set(metrics["pretrained"]) == set(SHAPES) and "held_out" in metrics["pretrained"]["small"]


def spoil(block: Block, **values: Any) -> None:
    block["pretrain"].update(values)


BAD = {
    "hash": (lambda block: block["pretrain"]["corpora"]["talk"].update(sha256="0" * 64), "is truncated or altered"),
    "batch": (lambda block: spoil(block, batch_tokens=100), "batch_tokens is 100, no multiple of the context 16"),
    "tokens": (lambda block: spoil(block, tokens=100), "tokens is 100, less than one batch of 128"),
    "heads": (lambda block: block["pretrain"]["models"]["large"].update(heads=3), "hidden is 32, no even multiple"),
    "vocabulary": (lambda block: spoil(block, vocabulary=9000), "lower pretrain.vocabulary"),
    "rate": (
        lambda block: block["pretrain"]["models"]["small"].update(learning_rate=1e30),
        "preferences_gpu, small: .*diverged; lower pretrain.models.small.learning_rate in studies/preferences_gpu.yaml",
    ),
    "name": (
        lambda block: block["represent"]["models"].update(own={"pretrained": "neox", "licence": "MIT"}),
        r"represent\.models\.own\..*pretrained is 'neox'",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_that_names_it(name: str, study: Callable[..., None]) -> None:
    change, expected = BAD[name]
    study(change)
    with pytest.raises(InputError, match=expected) as caught:
        pretrain.run(STUDY)
    assert "\n" not in str(caught.value)


def test_the_study_asks_for_a_device(study: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("W2S_DEVICE")
    for begin in (pretrain.run, lambda study: stage.run("data", study)):
        with pytest.raises(InputError, match="preferences_gpu is meant for a GPU; set W2S_DEVICE=cuda"):
            begin(STUDY)


def test_a_study_that_pretrains_nothing_says_so(study: Callable[..., None]) -> None:
    with pytest.raises(InputError, match="realizability pretrains no language model"):
        pretrain.run("realizability")
