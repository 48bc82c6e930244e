"""Pretraining kernels against a literal torch loop, and what a caller relies on: continuing, bytes, messages."""

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.network import compiled, kernels, mlp
from pipeline.models.network.heads import predict

ROOT = Path(__file__).parents[1]

ADAMW = {"learning_rate": 1e-3, "weight_decay": 0.01, "batch_size": 32}
TASKS, SAMPLES = 3, 112  # three batches of 32 and one of 16


@pytest.fixture(autouse=True, scope="module")
def one_torch_thread() -> Iterator[None]:
    """Batches of 32 gain nothing from threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def problem(seed: int = 0, blocks: int = 3, width: int = 16, dimension: int = 8, epochs: int = 2) -> tuple:
    """A network, heads, inputs, labels and orders."""
    generator = np.random.default_rng(seed)
    network = mlp.initialise(generator, dimension, width, blocks)
    heads = mlp.initialise_heads(generator, TASKS, width)
    inputs = generator.normal(0, 30, (TASKS, SAMPLES, dimension)).astype(np.float32)
    truth = mlp.initialise(generator, dimension, width, 2)
    labels = np.stack([mlp.represent(truth, x) @ h[:-1] + h[-1] for x, h in zip(inputs, heads, strict=True)])
    orders = generator.permuted(np.tile(np.arange(SAMPLES), (epochs, TASKS, 1)), axis=2)
    return network, heads, inputs, labels, orders


def pretrain(network: mlp.Representation, *rest: np.ndarray, schedule: str = "sequential", **changes: float) -> tuple:
    return mlp.pretrain(network, mlp.initial_moments(network), 0, *rest, schedule=schedule, **{**ADAMW, **changes})


def as_module(network: mlp.Representation) -> torch.nn.Sequential:
    """The same network in torch."""
    module = torch.nn.Sequential()
    for weights, bias in zip((network.first, *network.hidden), network.biases, strict=True):
        linear = torch.nn.Linear(*weights.shape[::-1])
        linear.load_state_dict({"weight": torch.tensor(weights), "bias": torch.tensor(bias)})
        module.extend([linear, torch.nn.ReLU()])
    return module


def batch_loss(module: torch.nn.Module, head: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return ((module(x) @ head[:-1] + head[-1] - y) ** 2).mean()


def literal_loop(network: mlp.Representation, *tasks: np.ndarray, schedule: str) -> tuple:
    """The authors' loop: autograd, torch.optim.AdamW, one batch after another."""
    heads, inputs, labels, orders = map(torch.tensor, tasks)
    module = as_module(network)
    optimiser = torch.optim.AdamW(module.parameters(), lr=1e-3)
    losses = []
    for order in orders:
        batches = [torch.split(order[task], 32) for task in range(TASKS)]
        steps = {
            "sequential": [[(task, chosen)] for task in range(TASKS) for chosen in batches[task]],
            "joint": [list(enumerate(step)) for step in zip(*batches, strict=True)],
        }[schedule]
        for step in steps:
            parts = [batch_loss(module, heads[t], inputs[t, chosen], labels[t, chosen]) for t, chosen in step]
            loss = torch.stack(parts).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    return [parameter.detach().numpy() for parameter in module.parameters()], np.reshape(losses, (len(orders), -1))


def close(network: mlp.Representation, parameters: list[np.ndarray]) -> None:
    """Within 1e-5 of each parameter array's own scale."""
    own = [a for pair in zip((network.first, *network.hidden), network.biases, strict=True) for a in pair]
    for mine, theirs in zip(own, parameters, strict=True):
        assert np.abs(mine - theirs).max() <= 1e-5 * np.abs(theirs).max()


@pytest.mark.parametrize("schedule", list(mlp.schedules))
@pytest.mark.parametrize(("blocks", "width", "dimension"), [(8, 16, 8), (2, 16, 8), (3, 20, 5), (1, 4, 3)])
def test_follows_the_literal_loop(schedule: str, blocks: int, width: int, dimension: int) -> None:
    network, *tasks = problem(blocks=blocks, width=width, dimension=dimension)
    trained, _, step, losses = pretrain(network, *tasks, schedule=schedule)
    parameters, expected = literal_loop(network, *tasks, schedule=schedule)
    close(trained, parameters)
    np.testing.assert_allclose(losses, expected.mean(axis=1), rtol=1e-5)
    assert step == expected.size


def as_representation(arrays: list[torch.Tensor]) -> mlp.Representation:
    """Weights and biases of each block in turn."""
    first, *hidden = (array.detach().numpy() for array in arrays[::2])
    return mlp.Representation(
        first.copy(), np.stack(hidden), np.stack([array.detach().numpy() for array in arrays[1::2]])
    )


def test_every_step_at_the_papers_size() -> None:
    """Inputs of scale 500 make training chaotic: rounding grows a thousandfold within 200 steps, in torch as here.

    So each of 630 steps, one epoch, starts from torch's own parameters and moments.
    """
    generator = np.random.default_rng(0)
    network, truth = (mlp.initialise(generator, 8, 16, blocks) for blocks in (8, 5))
    heads, inputs = mlp.initialise_heads(generator, 10, 16), generator.normal(0, 500, (2000, 8)).astype(np.float32)
    labels = predict(mlp.represent(truth, inputs), heads).astype(np.float32)
    module = as_module(network)
    parameters = list(module.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=1e-3)
    state = (network, mlp.initial_moments(network), 0)
    for step in range(1, 631):
        task, chosen = [step % 10], generator.integers(0, 2000, 32)
        head, x, y = heads[task], inputs[None, chosen], labels[task][:, chosen]
        mine = mlp.pretrain(*state, head, x, y, np.arange(32)[None, None], schedule="sequential", **ADAMW)
        optimiser.zero_grad()
        batch_loss(module, *(torch.tensor(array[0]) for array in (head, x, y))).backward()
        optimiser.step()
        moments = ([optimiser.state[p][name] for p in parameters] for name in ("exp_avg", "exp_avg_sq"))
        state = (as_representation(parameters), tuple(map(as_representation, moments)), step)
        for ours, theirs in zip((mine[0], *mine[1]), (state[0], *state[1]), strict=True):
            for array, expected in zip(ours, theirs, strict=True):
                assert np.abs(array - expected).max() <= 1e-5 * np.abs(expected).max()


def test_represent_is_the_torch_forward() -> None:
    network, _, inputs, *_ = problem(blocks=5)
    expected = as_module(network)(torch.tensor(inputs[0])).detach().numpy()
    np.testing.assert_allclose(mlp.represent(network, inputs[0]), expected, rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=15)
@given(
    cut=st.integers(0, 4),
    schedule=st.sampled_from(list(mlp.schedules)),
    batch_size=st.integers(1, 40),
    width=st.integers(1, 20),
)
def test_chunks_equal_one_go(cut: int, schedule: str, batch_size: int, width: int) -> None:
    network, *data, orders = problem(width=width, epochs=4)
    options = {**ADAMW, "batch_size": batch_size, "schedule": schedule}
    whole = mlp.pretrain(network, mlp.initial_moments(network), 0, *data, orders, **options)
    *state, first = mlp.pretrain(network, mlp.initial_moments(network), 0, *data, orders[:cut], **options)
    *state, second = mlp.pretrain(*state, *data, orders[cut:], **options)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole[3])
    assert state[2] == whole[2]
    assert [a.tobytes() for a in (*state[0], *state[1][0], *state[1][1])] == [
        a.tobytes() for a in (*whole[0], *whole[1][0], *whole[1][1])
    ]


def test_training_leaves_its_arguments_alone() -> None:
    network, *tasks = problem()
    before = [a.tobytes() for a in (*network, *tasks)]
    pretrain(network, *tasks)
    assert [a.tobytes() for a in (*network, *tasks)] == before


def test_padding_changes_no_byte() -> None:
    """A sample's representation does not depend on the samples or the units computed beside it."""
    network, _, inputs, *_ = problem()
    whole = mlp.represent(network, inputs[0])
    np.testing.assert_array_equal(whole[37:40], mlp.represent(network, inputs[0, 37:40]))


OTHER_PROCESSOR = """
import hashlib
from tests.test_mlp import pretrain, problem
trained, *_ = pretrain(*problem())
print(hashlib.sha256(b"".join(array.tobytes() for array in trained)).hexdigest())
"""


def test_bytes_do_not_depend_on_the_processor() -> None:
    """The oldest 64-bit x86 has four lanes to a register and no fused multiply-add."""
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("names an x86 processor")
    oldest = {**os.environ, "NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""}
    command = [sys.executable, "-c", OTHER_PROCESSOR]
    there = subprocess.run(command, env=oldest, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    trained, *_ = pretrain(*problem())
    assert there == hashlib.sha256(b"".join(array.tobytes() for array in trained)).hexdigest()


def test_compiled_code_is_kept_under_the_fingerprint_of_the_sources() -> None:
    """A change in any kernel file must not run on code compiled before it."""
    assert kernels.sequential.stats.cache_path.find(f"kernels-{compiled.fingerprint()}") > 0


def test_initialisation_has_torch_bounds() -> None:
    network = mlp.initialise(np.random.default_rng(0), 8, 16, 5)
    assert [a.shape for a in network] == [(16, 8), (4, 16, 16), (5, 16)]
    for array, bound in ((network.first, 8**-0.5), (network.hidden, 0.25), (network.biases[1:], 0.25)):
        assert array.dtype == np.float32 and bound * 0.8 < np.abs(array).max() <= bound


def test_divergence_names_the_epoch() -> None:
    network, heads, inputs, labels, orders = problem()
    labels[1, 5] = np.nan
    with pytest.raises(FloatingPointError, match="sequential pretraining diverged in epoch 0"):
        pretrain(network, heads, inputs, labels, orders)


@pytest.mark.parametrize(
    ("position", "change", "message"),
    [
        (0, lambda heads: heads[:, 1:], r"heads have shape \(3, 16\), expected \(3, 17\)"),
        (1, lambda inputs: inputs[..., 1:], "inputs have 7 features, the representation takes 8"),
        (2, lambda labels: labels[:, 1:], r"labels have shape \(3, 111\), expected \(3, 112\)"),
        (3, lambda orders: orders + 1, "orders point outside the 112 samples"),
    ],
)
def test_misfits_are_named(position: int, change: Callable, message: str) -> None:
    network, *tasks = problem()
    tasks[position] = change(tasks[position])
    with pytest.raises(ValueError, match=message):
        pretrain(network, *tasks)


def test_unknown_schedule_is_named() -> None:
    network, *tasks = problem()
    with pytest.raises(ValueError, match="schedule is 'cyclic', expected sequential or joint"):
        pretrain(network, *tasks, schedule="cyclic")
