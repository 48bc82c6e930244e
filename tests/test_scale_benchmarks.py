"""The benchmarks for a GPU run on the processor, and say that they measure nothing there."""

import importlib.util
from types import ModuleType

import pytest
import torch
from conftest import ROOT

from pipeline.scale import comparison


def benchmark(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("W2S_DEVICE", "cpu")
    torch.set_num_threads(1)


def test_the_trainer_runs_beside_our_loop(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module = benchmark("gpu")
    monkeypatch.setattr(module, "TINY", (400, 4, 14, 16, 1, 2, 32))
    module.main()
    shown = capsys.readouterr().out
    assert "gpu: CPU proof only" in shown and "MFU" not in shown
    assert not (ROOT / "artifacts/runtime/throughput/benchmark").exists()


def test_the_padded_model_has_the_losses_of_ours() -> None:
    """So that both sides of the benchmark do the same work for a token."""
    module = benchmark("gpu")
    data, words = module.molecules(60)
    shape = module.smiles.Shape(16, 1, 2, 32, words, module.DESCRIPTORS)
    model = module.smiles.initialised(shape, 0)
    descriptors = module.np.random.default_rng(0).standard_normal((60, module.DESCRIPTORS)).astype("float32")
    recipe = module.smiles.Pretraining(1, 8, 1e-4, 0.0, 0.1, 0.5, 0.0, "float32")
    plan = module.smiles.planned(data.lengths, recipe, 0)
    batch = module.smiles.batches(data, descriptors, plan, 0.5, words, 0)(0)
    inputs, asked, targets = batch.tensors
    ours = (module.smiles.loss(model, *batch.tensors) / torch.tensor(batch.divisors)).sum()
    filler = torch.zeros(len(inputs), 3, dtype=torch.int64)
    padded = comparison.Padded(model)(
        torch.cat([inputs, filler], dim=1),
        torch.cat([torch.ones_like(inputs), filler], dim=1),
        torch.cat([asked, filler - 100], dim=1),
        targets,
    )
    torch.testing.assert_close(padded["loss"], ours, rtol=1e-4, atol=1e-5)


def test_many_tasks_agree_with_the_kernels(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module = benchmark("gpu_tasks")
    monkeypatch.setattr(module, "TINY", (9,))
    module.main()
    shown = capsys.readouterr().out
    assert shown.startswith("9 tasks: ") and "CPU proof only" in shown
    with pytest.raises(SystemExit, match="exact heads differ"):
        module.line(9, 1.0, {"adamw": 0.0, "exact": 1.0}, 0.0)
