"""The training loop: AdamW over batches that depend on nothing but the number of the step, resumable at any point.

A step is defined by its whole batch: micro-batches and devices only divide the work, each adding its share of sums
that are divided by the totals of the whole batch.  What the machine decides stands in machine.py.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import reduce
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from pipeline.core.errors import InputError
from pipeline.scale import checkpoints
from pipeline.scale.machine import Machine, from_environment
from pipeline.scale.throughput import Meter

CHECK_SECONDS = 20.0  # between two looks at whether the losses are finite; a look makes the host wait for the device

AGREED_STEPS = 20  # how often several processes compare clocks, which makes them wait


class Recipe(NamedTuple):
    """What defines a training beside model and batches.

    The rate rises linearly over the first ``warmup`` of the steps, then falls by ``decay`` to ``final`` of the full
    rate.  Weights are decayed, biases and norms not.  clip: largest gradient norm, 0 for none.
    """

    steps: int
    learning_rate: float
    weight_decay: float
    betas: tuple[float, float]
    warmup: float
    decay: Literal["linear", "cosine"]
    final: float
    clip: float
    precision: Literal["float32", "bfloat16"]


class Batch(NamedTuple):
    """All examples of a step: tensors with the examples as first axis, and what each loss's sum is divided by.

    tokens: how many count, for the throughput alone.  The tensors may lie on any device.
    """

    tensors: tuple[Tensor, ...]
    divisors: tuple[float, ...]
    tokens: int


class OutOfTime(InputError):
    """The time budget is spent; the state is kept and the same command goes on from it."""


class Objective(nn.Module):
    """Model and loss as one module, so that several devices agree on the gradient after one backward pass."""

    def __init__(self, model: nn.Module, loss: Callable[..., Tensor]) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, *tensors: Tensor) -> Tensor:
        """Sums of the losses over some examples, shape (losses,)."""
        return self.loss(self.model, *tensors)


def train(
    model: nn.Module,
    batch_of: Callable[[int], Batch],
    loss: Callable[..., Tensor],
    recipe: Recipe,
    folder: Path,
    machine: Machine | None = None,
    meter: Meter | None = None,
) -> np.ndarray:
    """Train in place; returns the losses of every step, shape (steps, losses), float32.

    loss(model, *tensors) gives sums over examples, shape (losses,); a step minimises the sum of sums / divisors.
    folder: where the state is kept; the same call goes on from it.  Raises OutOfTime at the end of the time budget
    and FloatingPointError when a loss is not finite.
    """
    machine = machine or from_environment()
    # Not an Accelerator: that keeps the precision of whoever made the first one in this process.
    team = PartialState(cpu=machine.device.type == "cpu")
    device = team.device if team.num_processes > 1 else machine.device
    model.to(device).train()
    optimiser = adamw(model, recipe)
    curve = torch.zeros(recipe.steps, len(batch_of(0).divisors), device=device)
    identity = {"recipe": recipe._asdict(), "weights": sum(tensor.numel() for tensor in model.parameters())}
    first = checkpoints.load(folder, identity, model, optimiser, curve)
    if machine.compile:
        compile_blocks(model)
    objective: nn.Module = Objective(model, loss)
    if team.num_processes > 1:
        objective = DistributedDataParallel(objective, device_ids=[device.index] if device.type == "cuda" else None)
    keeper = Keeper(folder, identity, model, optimiser, curve, machine, team)
    hidden = not team.is_main_process or None  # None: shown on a terminal only
    with meter.counting(device, team.num_processes) if meter else nullcontext():
        for step in tqdm(range(first, recipe.steps), "train", recipe.steps, initial=first, disable=hidden, leave=False):
            batch = batch_of(step)
            if meter:
                meter.before_step(batch.tokens)
            torch.manual_seed(step)  # of dropout: no draw depends on what ran before, so none has to be kept
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * rate(step, recipe)
            try:
                curve[step] = gradients(objective, batch, recipe.precision, machine.micro_batch, device, team)
            except torch.OutOfMemoryError:
                raise InputError(
                    f"{device} has too little memory for {machine.micro_batch or len(batch.tensors[0])} examples at "
                    "once; set W2S_MICRO_BATCH to half of that and run again, the result stays the same"
                ) from None
            if recipe.clip:
                nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            keeper.after(step + 1)
    keeper.keep(recipe.steps)
    model.eval()
    return curve.cpu().numpy()


def adamw(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """Fused AdamW over the free parameters; only matrices are decayed."""
    free = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in free if parameter.ndim >= 2], "weight_decay": recipe.weight_decay},
        {"params": [parameter for parameter in free if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=recipe.betas, fused=True)


def rate(step: int, recipe: Recipe) -> float:
    """Share of the full learning rate at a step, counted from 0."""
    rising = max(1, round(recipe.warmup * recipe.steps))
    if step < rising:
        return (step + 1) / rising
    progress = (step - rising + 1) / (recipe.steps - rising + 1)
    fallen = progress if recipe.decay == "linear" else (1 - np.cos(np.pi * progress)) / 2
    return float(1 - (1 - recipe.final) * fallen)


def gradients(
    objective: nn.Module, batch: Batch, precision: str, micro_batch: int, device: torch.device, team: PartialState
) -> Tensor:
    """Leave the gradient of a whole batch on the parameters; returns its losses, shape (losses,), on the device.

    Nothing here makes the host wait for the device; a tensor made from numbers on the host would.
    """
    losses = torch.zeros(len(batch.divisors), device=device)
    parts = list(divided(batch.tensors, micro_batch, team.process_index, team.num_processes))
    cast = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        alone = last or not isinstance(objective, DistributedDataParallel)
        with nullcontext() if alone else objective.no_sync():
            with cast:
                sums = objective(*(tensor.to(device, non_blocking=True) for tensor in part)).unbind()
                shares = torch.stack([one / divisor for one, divisor in zip(sums, batch.divisors, strict=True)])
            # Devices exchange the mean of their gradients; the sum is wanted.
            (shares.sum() * team.num_processes).backward()
        losses += shares.detach()
    return reduce(losses, "sum")


def divided(tensors: tuple[Tensor, ...], size: int, process: int, processes: int) -> Iterator[tuple[Tensor, ...]]:
    """This process's share of the examples, in parts of at most ``size`` (0: all at once).

    Every process makes the same number of parts, the last ones perhaps empty, since all must meet at the end.
    """
    share = -(-len(tensors[0]) // processes)
    size = size or share
    for start in range(process * share, (process + 1) * share, size):
        yield tuple(tensor[start : min(start + size, (process + 1) * share)] for tensor in tensors)


def compile_blocks(model: nn.Module) -> None:
    """Compile the repeated blocks of a model one by one: compiled once, used by all, for lengths of any size."""
    for blocks in model.modules():
        if isinstance(blocks, nn.ModuleList):
            for block in blocks:
                block.compile(dynamic=None)


class Keeper:
    """Keeps the state when it is time to, and stops when the time is spent or the training has diverged."""

    def __init__(self, folder: Path, identity: dict[str, Any], *state: Any) -> None:
        self.folder, self.identity = folder, identity
        self.model, self.optimiser, self.curve, self.machine, self.team = state
        self.kept = self.looked = time.monotonic()

    def after(self, steps: int) -> None:
        """Called when ``steps`` steps are done.  Raises OutOfTime and FloatingPointError."""
        if self.team.num_processes > 1 and steps % AGREED_STEPS:
            return
        now = self._agreed(time.monotonic())
        if now >= self.machine.deadline and steps < len(self.curve):
            self.keep(steps)
            raise OutOfTime(
                f"the time of W2S_TIME_BUDGET is spent at step {steps} of {len(self.curve)}; "
                f"the state is kept in {self.folder}, run the same command again to go on"
            )
        if now - self.kept >= self.machine.checkpoint_seconds:
            self.keep(steps)
        elif now - self.looked >= CHECK_SECONDS:
            self.look(steps)

    def keep(self, steps: int) -> None:
        """Write the state; a state that has diverged is not kept."""
        self.look(steps)
        if self.team.is_main_process:
            checkpoints.save(self.folder, self.identity, steps, self.model, self.optimiser, self.curve)
        self.team.wait_for_everyone()
        self.kept = time.monotonic()

    def look(self, steps: int) -> None:
        """Raise FloatingPointError unless all losses so far are finite."""
        if not torch.isfinite(self.curve[:steps]).all():
            raise FloatingPointError("training diverged")
        self.looked = time.monotonic()

    def _agreed(self, now: float) -> float:
        """The first process's clock, so that all stop at the same step."""
        if self.team.num_processes == 1:
            return now
        clock = torch.tensor([now], dtype=torch.float64, device=self.curve.device)
        torch.distributed.broadcast(clock, src=0)
        return float(clock)
