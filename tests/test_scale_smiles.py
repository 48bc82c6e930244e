"""SMILES transformers at the papers' size, at a tiny one: the same model, losses and draws as the laptop's."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.core import streams
from pipeline.models.molecules import pretraining, transformer
from pipeline.models.molecules.transformer import Sequences, Size
from pipeline.scale import machine, smiles
from pipeline.scale.smiles import Pretraining, Shape

SHAPE = Shape(hidden=16, layers=2, attention_heads=2, inner=32, words=12, descriptors=3)
RECIPE = Pretraining(2, 8, 0.003, 0.01, 0.1, 0.3, 1.0, "float32")


@pytest.fixture
def sequences(generator: np.random.Generator) -> Sequences:
    lengths = generator.integers(4, 8, 40).astype(np.int16)
    tokens = generator.integers(5, 12, (40, 8)).astype(np.int16)
    tokens[np.arange(8) >= lengths[:, None]] = 0
    return Sequences(tokens, lengths)


@pytest.fixture
def descriptors(generator: np.random.Generator) -> np.ndarray:
    return generator.standard_normal((40, 3)).astype(np.float32)


def same_pair() -> tuple[smiles.Bert, transformer.SmilesBert]:
    small = transformer.initialised(Size(16, 2, 2, 12, 3), seed=0)
    ours = smiles.initialised(SHAPE, seed=1)
    ours.load_state_dict(small.state_dict())
    return ours, small


def test_fused_attention_reads_as_the_laptops_model(sequences: Sequences) -> None:
    ours, small = same_pair()
    np.testing.assert_allclose(
        smiles.represent(ours, sequences), transformer.represent(small, sequences), rtol=1e-4, atol=1e-5
    )


def test_losses_are_the_laptops(sequences: Sequences, descriptors: np.ndarray) -> None:
    ours, small = same_pair()
    plan = smiles.planned(sequences.lengths, RECIPE, seed=0)
    batch = smiles.batches(sequences, descriptors, plan, 0.3, 12, seed=0)(3)
    found = smiles.loss(ours, *batch.tensors) / torch.tensor(batch.divisors)
    rows, stream = plan[3], streams.generator(0, "scale/smiles-masks-3")
    expected = pretraining.loss(
        small, transformer.clipped(sequences, rows), torch.from_numpy(descriptors[rows]), 0.3, stream
    )
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_an_epoch_sees_every_molecule_once_and_pads_none(sequences: Sequences) -> None:
    plan = smiles.planned(sequences.lengths, RECIPE, seed=0)
    epoch = np.concatenate(plan[: len(plan) // 2])
    assert sorted(epoch) == list(range(40))
    assert all(len(set(sequences.lengths[rows])) == 1 and len(rows) <= 8 for rows in plan)


def test_pretraining_learns_and_is_metered(
    sequences: Sequences, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each molecule repeats one word, which its neighbours and its descriptors tell."""
    monkeypatch.delenv("W2S_DEVICE", raising=False)
    torch.set_num_threads(1)
    words = np.arange(40) % 3
    repeated = Sequences(np.where(sequences.tokens > 0, 5 + words[:, None], 0).astype(np.int16), sequences.lengths)
    descriptors = np.eye(3, dtype=np.float32)[words]
    model = smiles.initialised(SHAPE, seed=0)
    recipe = RECIPE._replace(epochs=12, learning_rate=0.01)
    record = tmp_path / "record.json"
    losses = smiles.pretrain(model, SHAPE, repeated, descriptors, recipe, 0, tmp_path / "state", record)
    fifth = len(losses) // 5
    assert (losses[-fifth:].mean(axis=0) < 0.7 * losses[:fifth].mean(axis=0)).all()
    assert record.exists()


def test_a_batch_depends_on_its_step_alone(sequences: Sequences, descriptors: np.ndarray) -> None:
    assert machine.device().type == "cpu"
    plan = smiles.planned(sequences.lengths, RECIPE, seed=0)
    one, other = (smiles.batches(sequences, descriptors, plan, 0.3, 12, seed=0) for _ in range(2))
    other(0)
    for left, right in zip(one(4).tensors, other(4).tensors, strict=True):
        assert torch.equal(left, right)


def test_flops_of_molberts_shape_are_those_of_its_matrices() -> None:
    shape = Shape(768, 12, 12, 3072, 100, 26)
    matrices = 12 * (4 * 768 * 768 + 2 * 768 * 3072) + 768 * 100
    model = sum(
        module.weight.numel()
        for module in smiles.initialised(shape._replace(layers=1), 0).modules()
        if isinstance(module, torch.nn.Linear)
    )
    assert model - 768 * 26 == matrices - 11 * (4 * 768 * 768 + 2 * 768 * 3072)
    lengths = np.array([40, 60], dtype=np.int16)
    assert smiles.flops(shape, lengths) == pytest.approx(6 * matrices + 12 * 12 * 768 * (1600 + 3600) / 100)
