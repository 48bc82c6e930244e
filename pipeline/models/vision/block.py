"""The last block of an EfficientNet-Lite, trained together with a new head on what the block reads.  One thread."""

import copy
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.core.artifacts import Arrays
from pipeline.models.vision.efficientnet import FEATURES, EfficientNetLite

READ = 250  # images at a time that are only predicted


class Student(nn.Module):
    """Last block and last convolution from their pretrained weights, and a linear head that starts at zero.

    Batch normalisation keeps the statistics of the pretraining; its scales and shifts are trained.
    """

    def __init__(self, pretrained: EfficientNetLite, classes: int) -> None:
        super().__init__()
        self.body = copy.deepcopy(pretrained)
        del self.body.conv_stem, self.body.bn0, self.body.fc
        self.body.blocks = self.body.blocks[-1:]
        self.head = nn.Linear(FEATURES, classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, maps: Tensor) -> Tensor:
        """Logits (n, classes) of `maps` (n, channels, h, w)."""
        logits: Tensor = self.head(self.body.pooled(maps.float()))
        return logits


def follow(
    maps: np.ndarray,
    targets: np.ndarray,
    orders: Sequence[np.ndarray],
    looks: Sequence[int],
    shown: Mapping[str, np.ndarray],
    pretrained: EfficientNetLite,
    *,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
) -> Arrays:
    """Train by cross-entropy on targets (n, classes); probabilities of each part after the epochs in ``looks``.

    maps (n, channels, h, w), as those of the parts; ``orders`` holds an order of the rows for every epoch.  Returns
    `<part>` (looks, rows, classes) in float64.  Raises FloatingPointError where training diverges.
    """
    student = Student(pretrained, targets.shape[1]).eval()
    optimiser = torch.optim.AdamW(student.parameters(), lr=learning_rate, weight_decay=weight_decay)
    inputs, wanted, loss = torch.from_numpy(maps), torch.from_numpy(targets).float(), nn.CrossEntropyLoss()
    found: dict[str, list[np.ndarray]] = {part: [] for part in shown}
    for start, stop in pairwise((0, *looks)):
        for order in orders[start:stop]:
            for rows in torch.from_numpy(np.asarray(order, dtype=np.int64)).split(batch_size):
                optimiser.zero_grad()
                value = loss(student(inputs[rows]), wanted[rows])
                value.backward()
                optimiser.step()
        if not torch.isfinite(value):
            raise FloatingPointError("a last block is not finite: training diverged")
        for part, own in shown.items():
            found[part].append(predict(student, own))
    return {part: np.stack(probabilities) for part, probabilities in found.items()}


def predict(student: Student, maps: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes) in float64."""
    with torch.inference_mode():
        logits = [student(few) for few in torch.from_numpy(maps).split(READ)]
        probabilities: np.ndarray = torch.softmax(torch.cat(logits).double(), dim=1).numpy()
    return probabilities
