"""A size of the map of `feature_learning` in one tensor, against the plain loop: same networks and steps, one thread.

python benchmarks/feature_learning.py

Plain is an nn.Module on patches in all d coordinates, autograd and torch.optim.SGD, one network after another.  Ours
trains all points and seeds of a size together, in a basis of what they meet; between the two stands that basis without
the batch.  Drawing the patches is counted on both sides.  Other programs may run beside: the shortest of several runs.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline.models.patches import Patches, descend, gaussian_rows  # noqa: E402

NETS, FILTERS, STEPS = 60, 20, 300  # twelve points with five seeds; filters of both signs; steps of the study
PLAIN_STEPS = 10
SIZES = ((20, 10_000), (80, 10_000), (20, 100_000))  # examples, coordinates of a patch


def main() -> None:
    """Seconds a network of 300 steps on each side, then the ratios."""
    torch.set_num_threads(1)
    for samples, dimension in SIZES:
        ours, alone = (seconds(partial(reduced, nets, samples, dimension), 3) / nets for nets in (NETS, 1))
        drawing, step = plain(samples, dimension)
        loop = drawing + STEPS * step
        print(f"n = {samples}, d = {dimension}: {ours:.4g} s, one by one {alone:.4g} s, plain {loop:.4g} s a network")
        print(
            f"feature_learning n={samples} d={dimension}: {loop / ours:.0f}x (batch alone {alone / ours:.1f}x)",
            flush=True,
        )


def seconds(run: Callable[[], object], repeats: int) -> float:
    """The shortest of several runs, after one to warm up."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def reduced(nets: int, samples: int, dimension: int) -> None:
    """Some networks together, from drawing the noise to the last step; the time does not depend on the labels."""
    generator = np.random.default_rng(0)
    rows = [gaussian_rows(generator, 2 * samples + FILTERS, dimension) for _ in range(nets)]
    noise = np.stack([row[: 2 * samples].reshape(2, samples, -1) for row in rows])
    filters = 1e-4 * np.stack(
        [np.concatenate([np.zeros((4, FILTERS), np.float32), row[2 * samples :].T]) for row in rows]
    )
    signals = generator.standard_normal((nets, 2, samples, 4)).astype(np.float32)
    labels = generator.choice([-1, 1], (nets, samples))
    rates = np.full(nets, 0.5 * FILTERS / 2 * samples / dimension)
    list(descend([Patches(signals, 0), Patches(noise, 4)], labels, filters, rates, [STEPS]))


class Plain(nn.Module):
    """Two-layer ReLU network over patches (n, patches, d)."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.filters = nn.Parameter(1e-4 * torch.randn(dimension, FILTERS))

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Outputs (n,)."""
        excited = torch.relu(patches @ self.filters).sum(dim=1)
        half = FILTERS // 2
        return excited[:, :half].mean(dim=1) - excited[:, half:].mean(dim=1)


def plain(samples: int, dimension: int) -> tuple[float, float]:
    """Seconds of drawing one network's patches, and of one of its steps."""
    drawing = seconds(lambda: torch.randn(samples, 3, dimension), 3)
    patches = torch.randn(samples, 3, dimension)
    labels = torch.where(torch.rand(samples) > 0.5, 1.0, -1.0)
    model = Plain(dimension)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5 * FILTERS / 2 * samples / dimension)

    def some_steps() -> None:
        for _ in range(PLAIN_STEPS):
            optimiser.zero_grad()
            nn.functional.softplus(-labels * model(patches)).mean().backward()
            optimiser.step()

    return drawing, seconds(some_steps, 3) / PLAIN_STEPS


if __name__ == "__main__":
    main()
