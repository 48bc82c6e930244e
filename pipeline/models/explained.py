"""Networks that learn from explanations (Heo et al. 2023): a mask names inputs on which a prediction must not depend.

Networks of a batch are trained side by side, each on data of its own: a layer is one batched product, shapes start with
the number of networks.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.config import Block, Count, Fraction, NonNegative, Positive

TINY = 1e-12  # under the root of a squared norm, whose slope is endless at 0
Layers = list[tuple[Tensor, Tensor]]


class Training(Block):
    """AdamW on minibatches of each network's own rows; ``attack_steps`` of PGD, ``share`` of plain loss at the start.

    share: alpha_0 of interval bounds; it falls to half of itself while the radius grows from 0, both linearly.
    """

    layers: Count  # hidden ones
    width: Count
    steps: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative
    attack_steps: Count
    share: Fraction


class Recipe(NamedTuple):
    """A method with its strength; a strength that it does not use is 0."""

    method: str
    penalty: float = 0.0
    radius: float = 0.0

    @property
    def name(self) -> str:
        """As part of the name of an item."""
        return f"{self.method}-{self.penalty:g}-{self.radius:g}"


class Sweep(Block):
    """Strengths: penalties on the gradient, radii of perturbations; what the sum of both takes as penalty."""

    penalties: Annotated[tuple[Positive, ...], Field(min_length=1)]
    radii: Annotated[tuple[Positive, ...], Field(min_length=1)]
    beside: Positive

    def recipes(self) -> list[Recipe]:
        """Every method with each of its strengths."""
        moved = [Recipe(method, 0.0, radius) for method in ("average", "pgd", "interval") for radius in self.radii]
        penalised = [Recipe("gradient", penalty) for penalty in self.penalties]
        both = [Recipe("interval_gradient", self.beside, radius) for radius in self.radii]
        return [Recipe("erm"), *penalised, *moved, *both]


class Carried(Block):
    """Strengths of the students of a weak teacher and of other masks, fixed beforehand: one of each method."""

    penalty: Positive
    radius: Positive

    def recipes(self) -> list[Recipe]:
        """A recipe a method."""
        return [Recipe("gradient", self.penalty), Recipe("pgd", 0.0, self.radius), Recipe("interval", 0.0, self.radius)]


class Step(NamedTuple):
    """What a loss is told of one step: the share of training gone, noise of that step, and the settings."""

    progress: float
    noise: Tensor
    training: Training


def initial(seeds: tuple[int, ...], sizes: tuple[int, ...]) -> Layers:
    """Weights (nets, in, out) of He's deviation and zero biases (nets, 1, out), a stream for each seed."""
    drawn = [streams.generator(seed, "explained/weights") for seed in seeds]
    layers = []
    for wide, narrow in zip(sizes[:-1], sizes[1:], strict=True):
        weight = np.stack([stream.standard_normal((wide, narrow)) for stream in drawn]) * np.sqrt(2 / wide)
        layers.append((torch.from_numpy(weight.astype(np.float32)), torch.zeros(len(seeds), 1, narrow)))
    return layers


def logits(layers: Layers, x: Tensor) -> Tensor:
    """Outputs (nets, n, classes) for inputs (nets, n, d)."""
    for weight, bias in layers[:-1]:
        x = torch.relu(torch.baddbmm(bias, x, weight))
    weight, bias = layers[-1]
    return torch.baddbmm(bias, x, weight)


def bounds(layers: Layers, x: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
    """Lowest and highest logits by interval arithmetic, when each input moves by at most its reach (nets, n, d)."""
    centre = x
    for place, (weight, bias) in enumerate(layers):
        centre, reach = torch.baddbmm(bias, centre, weight), torch.bmm(reach, weight.abs())
        if place < len(layers) - 1:
            low, high = torch.relu(centre - reach), torch.relu(centre + reach)
            centre, reach = (low + high) / 2, (high - low) / 2
    return centre - reach, centre + reach


def entropy(outputs: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy, mean over a network's rows and summed over networks, so that none feels another; y (nets, n)."""
    flat = torch.nn.functional.cross_entropy(outputs.flatten(0, 1), y.flatten(), reduction="sum")
    return flat / y.shape[1]


def slopes(layers: Layers, x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """Norm of the gradient of the label's log-probability in the masked inputs, (nets, n); it can be trained on."""
    x = x.detach().requires_grad_(True)
    chosen = torch.log_softmax(logits(layers, x), dim=-1).gather(-1, y[..., None]).sum()
    (gradient,) = torch.autograd.grad(chosen, x, create_graph=True)
    return ((gradient * mask).square().sum(dim=-1) + TINY).sqrt()


def attacked(layers: Layers, x: Tensor, y: Tensor, reach: Tensor, steps: int) -> Tensor:
    """Inputs moved within their reach so that the loss grows: steps of the gradient's sign, each of reach / steps."""
    moved = x
    for _ in range(steps):
        moved = moved.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(entropy(logits(layers, moved), y), moved)
        moved = torch.clamp(moved + reach / steps * gradient.sign(), x - reach, x + reach)
    return moved.detach()


def _plain(layers: Layers, x: Tensor, y: Tensor, mask: Tensor, recipe: Recipe, step: Step) -> Tensor:
    return entropy(logits(layers, x), y)


def _gradient(layers: Layers, x: Tensor, y: Tensor, mask: Tensor, recipe: Recipe, step: Step) -> Tensor:
    return _plain(layers, x, y, mask, recipe, step) + _penalty(layers, x, y, mask, recipe)


def _penalty(layers: Layers, x: Tensor, y: Tensor, mask: Tensor, recipe: Recipe) -> Tensor:
    return recipe.penalty * slopes(layers, x, y, mask).mean(dim=1).sum()


def _average(layers: Layers, x: Tensor, y: Tensor, mask: Tensor, recipe: Recipe, step: Step) -> Tensor:
    moved = x + recipe.radius * step.noise * mask
    return _plain(layers, x, y, mask, recipe, step) + entropy(logits(layers, moved), y)


def _pgd(layers: Layers, x: Tensor, y: Tensor, mask: Tensor, recipe: Recipe, step: Step) -> Tensor:
    moved = attacked(layers, x, y, recipe.radius * mask, step.training.attack_steps)
    return _plain(layers, x, y, mask, recipe, step) + entropy(logits(layers, moved), y)


def _interval(layers: Layers, x: Tensor, y: Tensor, mask: Tensor, recipe: Recipe, step: Step) -> Tensor:
    low, high = bounds(layers, x, recipe.radius * step.progress * mask)
    right = torch.nn.functional.one_hot(y, low.shape[-1]).bool()
    share = step.training.share * (1 - step.progress / 2)
    worst = entropy(torch.where(right, low, high), y)
    return share * _plain(layers, x, y, mask, recipe, step) + (1 - share) * worst


def _both(layers: Layers, x: Tensor, y: Tensor, mask: Tensor, recipe: Recipe, step: Step) -> Tensor:
    return _interval(layers, x, y, mask, recipe, step) + _penalty(layers, x, y, mask, recipe)


Loss = Callable[[Layers, Tensor, Tensor, Tensor, Recipe, Step], Tensor]
METHODS: Mapping[str, Loss] = {
    "erm": _plain,
    "gradient": _gradient,
    "average": _average,
    "pgd": _pgd,
    "interval": _interval,
    "interval_gradient": _both,
}


def train(
    recipe: Recipe,
    x: np.ndarray,
    y: np.ndarray,
    mask: np.ndarray,
    seeds: tuple[int, ...],
    classes: int,
    training: Training,
) -> Layers:
    """A network a seed, fitted to inputs (nets, n, d) and classes (nets, n); mask: true where inputs are irrelevant."""
    layers = initial(seeds, (x.shape[-1], *training.layers * (training.width,), classes))
    weights = [each.requires_grad_(True) for layer in layers for each in layer]
    optimiser = torch.optim.AdamW(weights, training.learning_rate, weight_decay=training.weight_decay)
    drawn = [streams.generator(seed, "explained/rows") for seed in seeds]
    nets, size = np.arange(len(seeds))[:, None], min(training.batch_size, x.shape[1])
    for number in range(training.steps):
        rows = np.stack([stream.choice(x.shape[1], size, replace=False) for stream in drawn])
        noise = np.stack([stream.standard_normal((size, x.shape[-1]), dtype=np.float32) for stream in drawn])
        step = Step(number / training.steps, torch.from_numpy(noise), training)
        batch = [torch.from_numpy(each[nets, rows]) for each in (x, y, mask.astype(np.float32))]
        optimiser.zero_grad()
        METHODS[recipe.method](layers, *batch, recipe, step).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return [(weight.detach(), bias.detach()) for weight, bias in layers]


def probabilities(layers: Layers, x: np.ndarray) -> np.ndarray:
    """Predicted probabilities (nets, n, classes), float64."""
    with torch.no_grad():
        return torch.softmax(logits(layers, torch.from_numpy(x)).double(), dim=-1).numpy()


def slope(layers: Layers, x: np.ndarray, y: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean of ``slopes`` over rows, (nets,): how much a prediction still feels of what is masked."""
    found = slopes(layers, *(torch.from_numpy(each) for each in (x, y, mask.astype(np.float32))))
    return found.detach().mean(dim=1).double().numpy()


def arrays(layers: Layers) -> Arrays:
    """Weights and biases by place, as they are kept."""
    return {
        f"{kind}.{place}": each.numpy()
        for place, layer in enumerate(layers)
        for kind, each in zip("wb", layer, strict=True)
    }


def restored(kept: Arrays) -> Layers:
    """Layers of kept arrays."""
    return [tuple(torch.from_numpy(kept[f"{kind}.{place}"]) for kind in "wb") for place in range(len(kept) // 2)]  # type: ignore[misc]
