"""Softmax heads, batched, against the plain loop: the same AdamW protocol, and the optimum that it approaches.

python benchmarks/softmax.py

Plain is one torch.optim.AdamW loop per task over shuffled minibatches.  `softmax_adamw` takes the same steps;
`softmax_exact` solves cross-entropy to a certified optimum in the time in which plain makes its 1000 epochs.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline.core import streams  # noqa: E402
from pipeline.models.softmax import heads as softmax  # noqa: E402

EPOCHS, BATCH, TASKS, SAMPLES, WIDTH, CLASSES = 1000, 32, 96, 2000, 16, 3
ADAMW = {"learning_rate": 1e-3, "weight_decay": 0.01, "batch_size": BATCH}


def main() -> None:
    """Print seconds per task and one ratio per way of fitting."""
    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    features = np.maximum(generator.normal(size=(TASKS, SAMPLES, WIDTH)), 0).astype(np.float32)
    truth = generator.normal(size=(TASKS, WIDTH + 1, CLASSES))
    targets = softmax.predict(features + generator.normal(size=features.shape), truth)
    plain = seconds(lambda: plain_epoch(features[0], targets[0]), repeats=5) * EPOCHS
    for loss in ("cross_entropy", "reverse_kl"):
        report(f"softmax_adamw_{loss}", fast_adamw(generator, features, targets, loss), plain)
    exact = {"min_active": 1, "tolerance": 1e-9, "max_steps": 50}
    solving = seconds(lambda: softmax.fit_exact(features, targets, loss="cross_entropy", **exact), repeats=2)
    report("softmax_exact", solving / TASKS, plain)


def report(name: str, fast: float, plain: float) -> None:
    """Seconds per task on either side, then the ratio."""
    print(f"{name} per task: {fast:.4g} s, plain {plain:.4g} s, epochs extrapolated to {EPOCHS}")
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


def fast_adamw(
    generator: np.random.Generator, features: np.ndarray, targets: np.ndarray, loss: str, epochs: int = 10
) -> float:
    """Seconds per task of 1000 epochs."""
    initial, orders = softmax.initialise(generator, TASKS, WIDTH, CLASSES), streams.orders(generator, epochs, SAMPLES)
    run = seconds(
        lambda: softmax.fit_adamw(features, targets, initial, orders, [epochs], loss=loss, **ADAMW), repeats=3
    )
    return run * EPOCHS / epochs / TASKS


def plain_epoch(features: np.ndarray, targets: np.ndarray) -> None:
    """One epoch of one task."""
    model = torch.nn.Linear(WIDTH, CLASSES)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    x, y = torch.tensor(features), torch.tensor(targets, dtype=torch.float32)
    for batch in torch.randperm(SAMPLES).split(BATCH):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
        optimiser.step()


if __name__ == "__main__":
    main()
