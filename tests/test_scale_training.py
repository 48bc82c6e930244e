"""The loop of pipeline.scale: killed and resumed, divided, against torch's plain loop; and what it measures."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.core.errors import InputError
from pipeline.scale import checkpoints, devices, machine, throughput, training
from pipeline.scale.machine import Machine
from pipeline.scale.training import Batch, OutOfTime, Recipe, train

CPU = Machine(torch.device("cpu"), 0, False, float("inf"), float("inf"))
RECIPE = Recipe(12, 0.02, 0.1, (0.9, 0.99), 0.25, "cosine", 0.1, 1.0, "float32")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 2))


def batch_of(step: int) -> Batch:
    """Eight examples; the second loss counts only some of them, so its divisor is not the number of examples."""
    draws = torch.Generator().manual_seed(step)
    inputs, targets = torch.randn(8, 4, generator=draws), torch.randn(8, 2, generator=draws)
    counted = (torch.rand(8, generator=draws) < 0.6).float()
    counted[0] = 1
    return Batch((inputs, targets, counted), (8.0, float(counted.sum())), tokens=8)


def loss(model: nn.Module, inputs: Tensor, targets: Tensor, counted: Tensor) -> Tensor:
    errors = (model(inputs) - targets).square().sum(dim=-1)
    return torch.stack([errors.sum(), (errors * counted).sum()])


def failing(at: int) -> Callable[[int], Batch]:
    def batch(step: int) -> Batch:
        if step == at:
            raise KeyboardInterrupt
        return batch_of(step)

    return batch


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("killed_at", [1, 5, 11])
def test_a_killed_run_goes_on_to_the_same_curve_and_weights(tmp_path: Path, killed_at: int) -> None:
    whole, pieces = network(), network()
    expected = train(whole, batch_of, loss, RECIPE, tmp_path / "whole", CPU)
    often = CPU._replace(checkpoint_seconds=0)
    with pytest.raises(KeyboardInterrupt):
        train(pieces, failing(killed_at), loss, RECIPE, tmp_path / "pieces", often)
    fresh = network(seed=1)  # a new process begins with other weights
    found = train(fresh, batch_of, loss, RECIPE, tmp_path / "pieces", often)
    assert np.array_equal(found, expected) and same_weights(fresh, whole)


def test_the_end_of_the_time_budget_keeps_the_state(tmp_path: Path) -> None:
    whole, pieces = network(), network()
    expected = train(whole, batch_of, loss, RECIPE, tmp_path / "whole", CPU)
    for step in range(1, RECIPE.steps):
        with pytest.raises(OutOfTime, match=f"at step {step} of 12; the state is kept in"):
            train(pieces, batch_of, loss, RECIPE, tmp_path / "pieces", CPU._replace(deadline=0))
    assert np.array_equal(
        train(network(2), batch_of, loss, RECIPE, tmp_path / "pieces", CPU._replace(deadline=0)), expected
    )
    # Finished: nothing is done again.
    assert np.array_equal(train(network(3), failing(1), loss, RECIPE, tmp_path / "pieces", CPU), expected)


def test_micro_batches_do_not_change_the_curve(tmp_path: Path) -> None:
    def curve(size: int) -> np.ndarray:
        model = network().eval()
        model[2].p = 0.0
        return train(model, batch_of, loss, RECIPE, tmp_path / str(size), CPU._replace(micro_batch=size))

    whole = curve(0)
    for size in (1, 3, 8):
        np.testing.assert_allclose(curve(size), whole, rtol=1e-5)


def test_the_loop_follows_torch_step_by_step(tmp_path: Path) -> None:
    ours, plain = network(), network()
    ours[2].p = plain[2].p = 0.0
    curve = train(ours, batch_of, loss, RECIPE._replace(weight_decay=0.0), tmp_path, CPU)
    optimiser = torch.optim.AdamW(plain.parameters(), lr=0.02, betas=(0.9, 0.99), weight_decay=0.0)
    shares = [1 / 3, 2 / 3, 1.0, *(0.1 + 0.9 * (1 + np.cos(np.pi * step / 10)) / 2 for step in range(1, 10))]
    for step in range(12):
        optimiser.param_groups[0]["lr"] = 0.02 * shares[step]
        inputs, targets, counted = batch_of(step).tensors
        errors = (plain(inputs) - targets).square().sum(dim=-1)
        parts = torch.stack([errors.mean(), errors[counted > 0].mean()])
        optimiser.zero_grad()
        parts.sum().backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimiser.step()
        np.testing.assert_allclose(curve[step], parts.detach().numpy(), rtol=1e-4)
    for one, other in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_linear_rate_is_that_of_the_laptops_pretraining() -> None:
    from pipeline.models.molecules import pretraining

    recipe = RECIPE._replace(steps=30, warmup=0.1, decay="linear", final=0.0)
    assert [training.rate(step, recipe) for step in range(30)] == pytest.approx(
        [pretraining.rate(step, 30, 0.1) for step in range(30)]
    )


def test_only_matrices_are_decayed() -> None:
    decayed, free = training.adamw(network(), RECIPE).param_groups
    assert [tensor.ndim for tensor in decayed["params"]] == [2, 2] and decayed["weight_decay"] == 0.1
    assert [tensor.ndim for tensor in free["params"]] == [1, 1] and free["weight_decay"] == 0.0


def test_bfloat16_trains_near_float32(tmp_path: Path) -> None:
    full = train(network(), batch_of, loss, RECIPE, tmp_path / "full", CPU)
    half = train(network(), batch_of, loss, RECIPE._replace(precision="bfloat16"), tmp_path / "half", CPU)
    assert not np.array_equal(full, half)
    np.testing.assert_allclose(half, full, rtol=0.05)


def test_divergence_is_an_error_and_is_not_kept(tmp_path: Path) -> None:
    wild = RECIPE._replace(learning_rate=1e30, clip=0.0)
    with pytest.raises(FloatingPointError, match="diverged"):
        train(network(), batch_of, loss, wild, tmp_path, CPU)
    assert not (tmp_path / checkpoints.NAME).exists()


def test_a_state_of_another_training_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    train(network(), batch_of, loss, RECIPE, tmp_path, CPU)
    with pytest.raises(InputError, match="another training"):
        train(network(), batch_of, loss, RECIPE._replace(clip=2.0), tmp_path, CPU)
    state = tmp_path / checkpoints.NAME
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(InputError, match="damaged"):
        train(network(), batch_of, loss, RECIPE, tmp_path, CPU)
    assert [path.name for path in tmp_path.iterdir()] == [checkpoints.NAME]


def undisturbed() -> nn.Module:
    model = network()
    model[2].p = 0.0
    return model


def train_in_parts(folder: Path) -> np.ndarray:
    """Out of time once, then to the end: all processes must stop at the same step."""
    training.AGREED_STEPS = 5
    place = CPU._replace(micro_batch=3)
    with contextlib.suppress(OutOfTime):
        train(undisturbed(), batch_of, loss, RECIPE, folder, place._replace(deadline=0.0))
    return train(undisturbed(), batch_of, loss, RECIPE, folder, place)


def test_two_devices_follow_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The effective batch is fixed, so the curve does not depend on the number of devices."""
    monkeypatch.setenv("W2S_DEVICES", "2")
    monkeypatch.setenv("W2S_DEVICE", "cpu")
    alone = train(undisturbed(), batch_of, loss, RECIPE, tmp_path / "alone", CPU)
    together = devices.spread(train_in_parts, tmp_path / "together")
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    assert not np.array_equal(together, alone)  # sums in another order: two devices did take part


def test_a_training_that_stopped_on_several_devices_is_an_error_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*arguments: object, **options: object) -> None:
        raise devices.ProcessExitedException("", 0, 1, exit_code=devices.STOPPED)

    monkeypatch.setenv("W2S_DEVICES", "2")
    monkeypatch.setenv("W2S_DEVICE", "cpu")
    monkeypatch.setattr(devices.multiprocessing, "spawn", stopped)
    with pytest.raises(InputError, match="training on 2 devices stopped, see above"):
        devices.spread(len, "never called")


@pytest.mark.parametrize("text", ["0", "two"])
def test_a_wrong_number_of_devices_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("W2S_DEVICES", text)
    with pytest.raises(InputError, match=f"W2S_DEVICES is '{text}'"):
        devices.count()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("W2S_DEVICE", "tpu", "W2S_DEVICE is 'tpu'"),
        ("W2S_DEVICE", "cuda:99", "sees 0 GPUs"),
        ("W2S_MICRO_BATCH", "-1", "W2S_MICRO_BATCH is '-1'; give a number"),
        ("W2S_TIME_BUDGET", "soon", "W2S_TIME_BUDGET is 'soon'"),
    ],
)
def test_a_wrong_machine_is_named(monkeypatch: pytest.MonkeyPatch, name: str, text: str, message: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setenv(name, text)
    with pytest.raises(InputError, match=message):
        machine.from_environment()


def test_the_processor_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("W2S_DEVICE", "W2S_COMPILE", "W2S_TIME_BUDGET"):
        monkeypatch.delenv(name, raising=False)
    found = machine.from_environment()
    assert found.device.type == "cpu" and not found.compile and found.deadline == float("inf")


def test_throughput_is_written_and_nothing_is_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = throughput.place("study", "model")
    meter = throughput.Meter(throughput.flops_per_token(1000, 2, 16, 50), path)
    train(network(), batch_of, loss, RECIPE, tmp_path / "state", CPU, meter)
    record = json.loads(path.read_text())
    assert path == Path("artifacts/runtime/throughput/study/model.json")
    assert record["timed_steps"] == 2 and record["device"] == "CPU"
    assert record["tokens_per_second"] == pytest.approx(16 / record["timed_seconds"])
    assert record["flops_per_token"] == 6 * 1000 + 12 * 2 * 16 * 50
    assert [record[name] for name in ("peak_flops", "mfu", "peak_memory_bytes", "joules")] == [None] * 4


def test_peaks_are_those_of_known_devices() -> None:
    names = ("NVIDIA H100 80GB HBM3", "NVIDIA H100 PCIe", "NVIDIA H100 NVL", "NVIDIA H200", "NVIDIA A100-SXM4-80GB")
    assert [throughput.peak_flops(name) for name in names] == [989e12, 756e12, 835e12, 989e12, 312e12]
    assert throughput.peak_flops("Tesla T4") is None and throughput.peak_flops("CPU") is None


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")  # within torch
def test_compiled_blocks_give_the_same_curve(tmp_path: Path) -> None:
    def stack() -> nn.Module:
        torch.manual_seed(0)

        class Stack(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
                self.out = nn.Linear(4, 2)

            def forward(self, inputs: Tensor) -> Tensor:
                for block in self.blocks:
                    inputs = functional.gelu(block(inputs))
                return self.out(inputs)

        return Stack()

    plain = train(stack(), batch_of, loss, RECIPE, tmp_path / "plain", CPU)
    compiled = train(stack(), batch_of, loss, RECIPE, tmp_path / "compiled", CPU._replace(compile=True))
    np.testing.assert_allclose(compiled, plain, rtol=1e-4)


def test_too_little_memory_names_the_remedy(tmp_path: Path) -> None:
    def full(model: nn.Module, *tensors: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(InputError, match="too little memory for 8 examples at once; set W2S_MICRO_BATCH to half"):
        train(network(), batch_of, full, RECIPE, tmp_path, CPU)
