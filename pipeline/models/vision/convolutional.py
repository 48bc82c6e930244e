"""Small convolutional networks, trained from random weights: the weak models of images.  One thread."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.config import AdamW

READ = 500  # images at a time that are only predicted


def network(channels: Sequence[int], classes: int) -> nn.Sequential:
    """Convolutions 3 x 3 with normalisation, ReLU and a halving of the side each; mean over places; a linear head."""
    layers: list[nn.Module] = []
    for read, made in pairwise((3, *channels)):
        layers += [nn.Conv2d(read, made, 3, padding=1, bias=False), nn.BatchNorm2d(made), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[-1], classes))


def train(
    pixels: np.ndarray, targets: np.ndarray, channels: Sequence[int], fit: AdamW, stream: np.random.Generator
) -> nn.Sequential:
    """A network in evaluation mode, by cross-entropy on targets (n, classes), images mirrored by coins.

    pixels (n, h, w, 3) of bytes.  The rate falls to 0 along a cosine.  Raises FloatingPointError where it diverges.
    """
    orders = streams.orders(stream, fit.epochs, len(pixels))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream.integers(2**31)))
        made = network(channels, targets.shape[1]).train()
    images, wanted = scaled(pixels), torch.from_numpy(targets).float()
    optimiser = torch.optim.AdamW(made.parameters(), lr=fit.learning_rate, weight_decay=fit.weight_decay)
    steps = fit.epochs * -(-len(pixels) // fit.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    loss = nn.CrossEntropyLoss()
    for order in orders:
        turned = torch.from_numpy(stream.random(len(pixels)) < 0.5)
        for start in range(0, len(order), fit.batch_size):
            rows = torch.from_numpy(order[start : start + fit.batch_size].astype(np.int64))
            batch = torch.where(turned[rows][:, None, None, None], images[rows].flip(3), images[rows])
            optimiser.zero_grad()
            value = loss(made(batch), wanted[rows])
            value.backward()
            optimiser.step()
            schedule.step()
    if not torch.isfinite(value):
        raise FloatingPointError("a convolutional network is not finite: training diverged")
    return made.eval()


def predict(made: nn.Sequential, pixels: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes) in float64."""
    with torch.inference_mode():
        logits = [made(scaled(pixels[start : start + READ])) for start in range(0, len(pixels), READ)]
        probabilities: np.ndarray = torch.softmax(torch.cat(logits).double(), dim=1).numpy()
    return probabilities


def scaled(pixels: np.ndarray) -> Tensor:
    """(n, h, w, 3) of bytes -> (n, 3, h, w) from -1 to 1."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1


def taught(
    pixels: np.ndarray,
    targets: np.ndarray,
    shown: Arrays,
    channels: Sequence[int],
    fit: AdamW,
    stream: np.random.Generator,
) -> Arrays:
    """Train one network and say what it predicts for the images of each part."""
    made = train(pixels, targets, channels, fit, stream)
    return {part: predict(made, own) for part, own in shown.items()}
