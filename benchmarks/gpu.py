"""Our training loop against the plain Hugging Face Trainer: same model, molecules, batch size, precision and device.

W2S_DEVICE=cuda python benchmarks/gpu.py

The model is MolBERT's shape on a GPU; on the processor it is a tiny one, which proves that this runs and measures
nothing.  Plain is what one writes first: batches in random order, padded to their longest molecule, attention mask,
bfloat16, the Trainer's defaults.  Counted are tokens that are no padding.  Descriptors are random numbers here, because
the time does not depend on them.  On a GPU the record goes to artifacts/runtime/throughput/benchmark/.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.utils import logging

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline.core import artifacts, experiments  # noqa: E402
from pipeline.core.artifacts import read_item  # noqa: E402
from pipeline.experiments.molecules.common import files  # noqa: E402
from pipeline.models.molecules import pretraining  # noqa: E402
from pipeline.models.molecules import smiles as text  # noqa: E402
from pipeline.models.molecules.transformer import Sequences  # noqa: E402
from pipeline.scale import machine, smiles, throughput, training  # noqa: E402

DESCRIPTORS, SEED = 26, 0
# Molecules, batch size, steps; the model's hidden size, layers, heads and inner width.
LARGE = (48_000, 512, 80, 768, 12, 12, 3072)
TINY = (2_000, 16, 30, 32, 2, 2, 64)


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
    """Time from the end of the first steps to the end of the training."""

    def __init__(self) -> None:
        self.started = self.seconds = 0.0

    def on_step_end(self, arguments: Any, state: Any, control: Any, **further: Any) -> None:
        """Start after the steps that warm up."""
        if state.global_step == throughput.SETTLING:
            throughput.wait(machine.device())
            self.started = time.perf_counter()

    def on_train_end(self, arguments: Any, state: Any, control: Any, **further: Any) -> None:
        """Stop when the device is done."""
        throughput.wait(machine.device())
        self.seconds = time.perf_counter() - self.started


def ours(shape: smiles.Shape, data: Sequences, descriptors: np.ndarray, batch: int, steps: int) -> dict[str, Any]:
    """Record of our loop."""
    recipe = smiles.Pretraining(1, batch, 1e-4, 0.01, 0.1, 0.15, 1.0, "bfloat16")
    plan = smiles.planned(data.lengths, recipe, SEED)[:steps]
    batch_of = smiles.batches(data, descriptors, plan, recipe.masked, shape.words, SEED)
    loop = training.Recipe(len(plan), 1e-4, 0.01, smiles.BETAS, 0.1, "linear", 0.0, 1.0, "bfloat16")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.json"
        meter = throughput.Meter(smiles.flops(shape, data.lengths), path)
        model = smiles.initialised(shape, SEED)
        training.train(model, batch_of, smiles.loss, loop, Path(folder) / "state", meter=meter)
        return read_item(path)


def plain(shape: smiles.Shape, data: Sequences, descriptors: np.ndarray, batch: int, steps: int) -> float:
    """Tokens a second of the Trainer."""
    sizes: list[int] = []
    stream = np.random.default_rng(SEED)

    def collate(rows: list[int]) -> dict[str, Tensor]:
        lengths = data.lengths[rows]
        tokens = torch.from_numpy(data.tokens[rows, : lengths.max()].astype(np.int64))
        inputs, labels = pretraining.masked(tokens, 0.15, shape.words, stream)
        sizes.append(int(lengths.sum()))
        return {
            "input_ids": inputs,
            "attention_mask": (tokens != text.PAD).long(),
            "labels": labels,
            "descriptors": torch.from_numpy(descriptors[rows]),
        }

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            folder,
            per_device_train_batch_size=batch,
            max_steps=steps,
            learning_rate=1e-4,
            weight_decay=0.01,
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
    return sum(sizes[throughput.SETTLING : steps]) / clock.seconds


def molecules(count: int) -> tuple[Sequences, int]:
    """Shipped molecules at even distances, and the size of their vocabulary."""
    _, lines = files.corpus(experiments.load("molecules").settings.data.corpus.source)
    chosen = lines[:: len(lines) // count][:count]
    words = text.vocabulary(chosen, 2)
    return Sequences(*text.encode(chosen, words)), len(words)


def main() -> None:
    """Both ways, then the ratio."""
    logging.set_verbosity_error()
    device = machine.device()
    count, batch, steps, hidden, layers, attention_heads, inner = LARGE if device.type == "cuda" else TINY
    data, words = molecules(count)
    descriptors = np.random.default_rng(SEED).standard_normal((count, DESCRIPTORS)).astype(np.float32)
    shape = smiles.Shape(hidden, layers, attention_heads, inner, words, DESCRIPTORS)
    record = ours(shape, data, descriptors, batch, steps)
    slow = plain(shape, data, descriptors, batch, steps)
    fast, peak, flops = record["tokens_per_second"], record["peak_flops"], record["flops_per_token"]
    mfu = "" if peak is None else f", MFU {record['mfu']:.1%} against {slow * flops / peak:.1%}"
    print(f"{record['device']}: our loop {fast:.0f} tokens a second, the plain Trainer {slow:.0f}{mfu}")
    if device.type == "cuda":
        artifacts.write_json(throughput.place("benchmark", "trainer"), {**record, "plain_tokens_per_second": slow})
        print(f"gpu: {fast / slow:.2f}x")
    else:
        print(f"gpu: CPU proof only, a tiny model on the processor ({fast / slow:.2f}x); it says nothing about a GPU")


if __name__ == "__main__":
    main()
