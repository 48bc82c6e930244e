"""Finetune a tiny language model on pairs, by the loop of pipeline.scale, on however many processes there are.

accelerate launch --cpu --num_processes 2 -m tests.several_processes <folder> <out.npy>

folder: a model as the hub saves it.  out: the loss of every step, then the logit of every pair after training.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from torch import Tensor

from pipeline.core import streams
from pipeline.language import finetuning, loading
from pipeline.language.losses import by_name
from pipeline.language.reading import ReadOut
from pipeline.scale import training
from pipeline.scale.machine import Machine
from pipeline.scale.training import Batch

WORDS = ("bread", "cars", "bikes", "bake")
PAIRS = [(f"how do i fix {word} ? gladly", f"how do i fix {word} ? no") for word in WORDS]
PAIRS += [(unkind, kind) for kind, unkind in PAIRS]
LABELS = torch.tensor([0.9] * 4 + [0.1] * 4)
STEPS, BATCH = 10, 4
HEAD = finetuning.Recipe("full", "cross_entropy", 1, BATCH, BATCH, 0.01, 2, 24, 0)
RECIPE = training.Recipe(STEPS, 0.01, 0.0, (0.9, 0.999), 0.1, "cosine", 0.0, 0.0, "float32")


def main(folder: str, out: str) -> None:
    """Train on all processes; the first one writes."""
    torch.set_num_threads(1)
    found = finetuned(Path(folder), Path(out).with_suffix(".state"))
    if PartialState().is_main_process:
        np.save(out, found)
    PartialState().destroy_process_group()


def finetuned(folder: Path, state: Path) -> np.ndarray:
    """Losses (STEPS,), then logits (pairs,)."""
    model = finetuning.RewardModel(loading.load(folder, "float32"), ReadOut(2, "last"), HEAD)
    machine = Machine(torch.device("cpu"), 1, False, float("inf"), float("inf"))
    losses = training.train(model, batch_of, loss, RECIPE, state, machine)
    with torch.no_grad():
        logits = model(PAIRS).numpy()
    return np.concatenate([losses[:, 0], logits])


def batch_of(step: int) -> Batch:
    """Pairs of a step, by number: the same whichever process asks."""
    rows = streams.generator(0, f"step-{step}").choice(len(PAIRS), BATCH, replace=False)
    return Batch((torch.from_numpy(rows),), (float(BATCH),), tokens=0)


def loss(model: finetuning.RewardModel, rows: Tensor) -> Tensor:
    """Sum over these pairs."""
    logits = model([PAIRS[row] for row in rows])
    return by_name("cross_entropy")(logits[:, None], LABELS[rows, None], 0.0).sum()[None]


if __name__ == "__main__":
    main(*sys.argv[1:])
