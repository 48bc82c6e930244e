"""Our training loop and the plain Hugging Face Trainer on the same molecules, model, batch size and number of steps.

Plain is what one writes first: batches in random order, padded to their longest molecule, attention mask, bfloat16, the
Trainer's defaults.  Counted are tokens that are no padding.
"""

import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.utils import logging

from pipeline.core.artifacts import read_item
from pipeline.models.molecules import pretraining
from pipeline.models.molecules.special import PAD
from pipeline.models.molecules.transformer import Sequences
from pipeline.scale import machine, smiles, throughput, training

SEED = 0
RECIPE = smiles.Pretraining(1, 0, 1e-4, 0.01, 0.1, 0.15, 1.0, "bfloat16")  # the batch size is given


class Padded(nn.Module):
    """The model with a padding mask and both losses inside, as the Trainer wants it."""

    def __init__(self, model: smiles.Bert) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor, descriptors: Tensor
    ) -> dict[str, Tensor]:
        """Sum of the mean losses of a batch."""
        states = self.model.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        scores = self.model.words(states)
        counted = attention_mask.unsqueeze(-1)
        pooled = (states * counted).sum(dim=1) / counted.sum(dim=1)
        cross_entropy = functional.cross_entropy(scores.flatten(0, 1), labels.flatten())
        return {"loss": cross_entropy + functional.mse_loss(self.model.descriptors(pooled), descriptors)}


class Clock(TrainerCallback):
    """Time from the end of the first steps to the end of the training, which it ends after so many seconds."""

    def __init__(self, most: float) -> None:
        self.steps, self.seconds = 0, 0.0
        self.started, self.ends = 0.0, time.perf_counter() + most

    def on_step_end(self, arguments: Any, state: Any, control: Any, **further: Any) -> None:
        """Start after the steps that warm up; stop when the time is over."""
        self.steps = state.global_step
        if self.steps == throughput.SETTLING:
            throughput.wait(machine.device())
            self.started = time.perf_counter()
        if self.steps > throughput.SETTLING and time.perf_counter() > self.ends:
            control.should_training_stop = True

    def on_train_end(self, arguments: Any, state: Any, control: Any, **further: Any) -> None:
        """Stop when the device is done."""
        throughput.wait(machine.device())
        self.seconds = time.perf_counter() - self.started


class Plain(NamedTuple):
    """What the Trainer did: steps in all, and tokens a second after the first ones."""

    steps: int
    tokens_per_second: float


def ours(shape: smiles.Shape, data: Sequences, descriptors: np.ndarray, batch: int, steps: int) -> dict[str, Any]:
    """Record of our loop."""
    recipe = RECIPE._replace(batch_size=batch)
    plan = smiles.planned(data.lengths, recipe, SEED)[:steps]
    # A short batch among the first, which are not timed: one of another size is what compiles once more.
    shortest = min(range(len(plan)), key=lambda step: len(plan[step]))
    plan.insert(2, plan.pop(shortest))
    batch_of = smiles.batches(data, descriptors, plan, recipe.masked, shape.words, SEED)
    loop = smiles.loop(recipe, len(plan))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.json"
        meter = throughput.Meter(smiles.flops(shape, data.lengths), path)
        model = smiles.initialised(shape, SEED)
        # Out of time, its record is of the steps that it made; then the time to keep their state counts as well.
        with suppress(training.OutOfTime):
            training.train(model, batch_of, smiles.loss, loop, Path(folder) / "state", meter=meter)
        return read_item(path)


def plain(
    shape: smiles.Shape,
    data: Sequences,
    descriptors: np.ndarray,
    batch: int,
    steps: int,
    seconds: float = float("inf"),
) -> Plain:
    """The Trainer for so many steps, or until the seconds are over."""
    logging.set_verbosity_error()
    sizes: list[int] = []
    stream = np.random.default_rng(SEED)

    def collate(rows: list[int]) -> dict[str, Tensor]:
        lengths = data.lengths[rows]
        tokens = torch.from_numpy(data.tokens[rows, : lengths.max()].astype(np.int64))
        inputs, labels = pretraining.masked(tokens, RECIPE.masked, shape.words, stream)
        sizes.append(int(lengths.sum()))
        return {
            "input_ids": inputs,
            "attention_mask": (tokens != PAD).long(),
            "labels": labels,
            "descriptors": torch.from_numpy(descriptors[rows]),
        }

    clock = Clock(seconds)
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            folder,
            per_device_train_batch_size=batch,
            max_steps=steps,
            learning_rate=RECIPE.learning_rate,
            weight_decay=RECIPE.weight_decay,
            bf16=True,
            use_cpu=machine.device().type == "cpu",
            seed=SEED,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        Trainer(
            Padded(smiles.initialised(shape, SEED)),
            settings,
            data_collator=collate,
            train_dataset=range(len(data.lengths)),
            callbacks=[clock],
        ).train()
    return Plain(clock.steps, sum(sizes[throughput.SETTLING : clock.steps]) / clock.seconds)
