"""Training kernels against the authors' algorithm written plainly: same protocol, same number of steps, one thread.

python benchmarks/training.py

Plain is the authors' loop: an nn.Module, torch.optim.AdamW, one task and one shuffled minibatch after another; for a
head, the frozen representation runs in every step. Both sides run a few epochs and are extrapolated to 1000; the time
of an epoch is the smallest of several, since other programs may run beside. Ours pays for its representation once.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline.models.network import heads, mlp  # noqa: E402

EPOCHS, BATCH = 1000, 32
PRETRAINING_TASKS, TASKS, SAMPLES = 10, 100, 2000
DIMENSION, WIDTH, STRONG_BLOCKS = 8, 16, 8
ADAMW = {"learning_rate": 1e-3, "weight_decay": 0.01, "batch_size": BATCH}


def main() -> None:
    """Print one ratio per line, each after the seconds behind it."""
    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    network = mlp.initialise(generator, DIMENSION, WIDTH, STRONG_BLOCKS)
    report("heads_adamw", "per task", fast_heads(generator, network), plain_head(generator, network, frozen=True))
    report("heads_adamw_on_features", "per task", fast_heads(generator, network), plain_head(generator, network))
    report("pretrain_sequential", "per seed", fast_pretraining(generator, network), plain_pretraining(generator))


def report(name: str, unit: str, fast: float, plain: float) -> None:
    """Seconds of 1000 epochs on either side, then the ratio."""
    print(f"{name} {unit}: {fast:.4g} s, plain {plain:.4g} s, both extrapolated to {EPOCHS} epochs")
    print(f"{name}: {plain / fast:.0f}x", flush=True)


def seconds(run: Callable[[], object], repeats: int) -> float:
    """The shortest of several runs; one before them compiles or warms up."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def tasks(generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heads, inputs and labels of the paper's sizes; the time does not depend on what the labels are."""
    inputs = generator.normal(0, 500, (count, SAMPLES, DIMENSION)).astype(np.float32)
    labels = generator.normal(0, 1, (count, SAMPLES)).astype(np.float32)
    return mlp.initialise_heads(generator, count, WIDTH), inputs, labels


def orders(generator: np.random.Generator, *shape: int) -> np.ndarray:
    """Independent permutations of the samples."""
    return generator.permuted(np.broadcast_to(np.arange(SAMPLES), (*shape, SAMPLES)), axis=-1)


def fast_heads(generator: np.random.Generator, network: mlp.Representation, epochs: int = 100) -> float:
    """Seconds per task of 1000 epochs, representing the inputs included."""
    initial, inputs, labels = tasks(generator, TASKS)
    order = orders(generator, epochs)
    features = np.stack([mlp.represent(network, x) for x in inputs])
    once = seconds(lambda: np.stack([mlp.represent(network, x) for x in inputs]), repeats=3)
    fitting = seconds(lambda: heads.fit_adamw(features, labels, initial, order, **ADAMW), repeats=5)
    return (once + fitting * EPOCHS / epochs) / TASKS


def fast_pretraining(generator: np.random.Generator, network: mlp.Representation, epochs: int = 25) -> float:
    """Seconds per seed of 1000 epochs of the strong network."""
    given, order = tasks(generator, PRETRAINING_TASKS), orders(generator, epochs, PRETRAINING_TASKS)
    moments = mlp.initial_moments(network)
    run = seconds(lambda: mlp.pretrain(network, moments, 0, *given, order, schedule="sequential", **ADAMW), repeats=5)
    return run * EPOCHS / epochs


def plain_head(generator: np.random.Generator, network: mlp.Representation, frozen: bool = False) -> float:
    """Seconds of 1000 epochs of one head, on the frozen representation in every step or on features computed before."""
    _, (inputs,), (labels,) = tasks(generator, 1)
    representation = module(STRONG_BLOCKS).requires_grad_(False) if frozen else nn.Identity()
    model = nn.Sequential(representation, nn.Linear(WIDTH, 1))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    x = inputs if frozen else mlp.represent(network, inputs)
    return EPOCHS * seconds(lambda: plain_epoch(generator, model, optimiser, x, labels[:, None]), repeats=8)


def plain_pretraining(generator: np.random.Generator) -> float:
    """Seconds of 1000 epochs over all tasks: an epoch of one task, times the tasks."""
    _, (inputs,), (labels,) = tasks(generator, 1)
    model = nn.Sequential(module(STRONG_BLOCKS), nn.Linear(WIDTH, 1).requires_grad_(False))
    optimiser = torch.optim.AdamW(model[0].parameters(), lr=1e-3)
    epoch = seconds(lambda: plain_epoch(generator, model, optimiser, inputs, labels[:, None]), repeats=8)
    return EPOCHS * PRETRAINING_TASKS * epoch


def module(blocks: int) -> nn.Sequential:
    """Linear and ReLU, the first from the inputs."""
    sizes = [DIMENSION] + [WIDTH] * blocks
    return nn.Sequential(*(nn.Sequential(nn.Linear(a, b), nn.ReLU()) for a, b in zip(sizes, sizes[1:], strict=False)))


def plain_epoch(
    generator: np.random.Generator, model: nn.Module, optimiser: torch.optim.Optimizer, x: np.ndarray, y: np.ndarray
) -> None:
    """One shuffled pass over one task, as in the authors' notebook."""
    order = generator.permutation(len(x))
    x, y = x[order], y[order]
    for start in range(0, len(x), BATCH):
        optimiser.zero_grad()
        loss = nn.MSELoss()(model(torch.tensor(x[start : start + BATCH])), torch.tensor(y[start : start + BATCH]))
        loss.item()
        loss.backward()
        optimiser.step()


if __name__ == "__main__":
    main()
