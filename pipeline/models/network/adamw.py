"""One AdamW step on float32 parameters, in the arithmetic of torch.optim.AdamW."""

from typing import NamedTuple

import numpy as np

from pipeline.models.network.compiled import kernel
from pipeline.models.network.lanes import LANES, load, splat, square_root, store

Array = np.ndarray


class State(NamedTuple):
    """Parameters and their moments, of one shape."""

    parameters: Array
    first: Array
    second: Array


class AdamW(NamedTuple):
    """Hyper-parameters, named as in torch.optim.AdamW."""

    learning_rate: float
    weight_decay: float
    beta1: float
    beta2: float
    eps: float


@kernel
def powers(optimiser: AdamW, step: int) -> tuple[float, float]:
    """beta1 ** step and beta2 ** step as running products, so that going on gives the bytes of never having stopped."""
    first, second = 1.0, 1.0
    for _ in range(step):
        first, second = first * optimiser.beta1, second * optimiser.beta2
    return first, second


@kernel
def update(state: State, gradient: Array, optimiser: AdamW, powers: tuple[float, float]) -> tuple[float, float]:
    """Decoupled decay, moments and bias-corrected step, in place; sizes are multiples of LANES.

    powers are the betas' before this step; returns those after it.
    """
    power1, power2 = powers[0] * optimiser.beta1, powers[1] * optimiser.beta2
    decay = splat(1.0 - optimiser.learning_rate * optimiser.weight_decay)
    beta2, new1, new2 = splat(optimiser.beta2), splat(1.0 - optimiser.beta1), splat(1.0 - optimiser.beta2)
    rate = splat(optimiser.learning_rate / (1.0 - power1))
    scale, eps = splat(1.0 / np.sqrt(1.0 - power2)), splat(optimiser.eps)
    for at in range(0, gradient.size, LANES):
        slope, mean = load(gradient, at), load(state.first, at)
        mean = mean + new1 * (slope - mean)
        square = beta2 * load(state.second, at) + new2 * slope * slope
        change = rate * mean / (scale * square_root(square) + eps)
        store(state.first, at, mean)
        store(state.second, at, square)
        store(state.parameters, at, decay * load(state.parameters, at) - change)
    return power1, power2
