"""Finetuning of a whole network, or of low-rank adapters in it, with the transformers Trainer.

A pair's logit is r(A) - r(B), a text's is r: a linear head on one read-out.  Dropout is off, as in the papers' code.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import PrinterCallback, Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from pipeline.core.errors import InputError
from pipeline.language.loading import Loaded
from pipeline.language.losses import OF_THE_BATCH, by_name
from pipeline.language.reading import ReadOut, batches, is_memory, pool

Texts = Sequence[tuple[str, ...]]  # pairs (A, B), or single texts
PREDICTED_TOKENS = 4096


class Recipe(NamedTuple):
    """How a network is finetuned: Adam, cosine to zero, no decay."""

    method: str  # full or lora
    loss: str
    epochs: int
    batch_size: int
    micro_batch: int
    learning_rate: float
    lora_rank: int
    max_tokens: int
    seed: int


class RewardModel(torch.nn.Module):
    """A network with a linear head on one read-out, from texts to logits."""

    def __init__(self, loaded: Loaded, view: ReadOut, recipe: Recipe) -> None:
        super().__init__()
        torch.manual_seed(recipe.seed)
        self.tokenizer, self.view, self.max_tokens = loaded.tokenizer, view, recipe.max_tokens
        self.network = loaded.network
        if recipe.method == "lora":
            options = {"r": recipe.lora_rank, "lora_alpha": 2 * recipe.lora_rank, "lora_dropout": 0.0}
            with warnings.catch_warnings():  # peft asks transformers by an old name
                warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
                self.network = get_peft_model(loaded.network, LoraConfig(target_modules="all-linear", **options))
        self.head = torch.nn.Linear(loaded.hidden, 1, bias=False)

    def forward(self, texts: Texts) -> torch.Tensor:
        """Logits of pairs or texts, (batch,), float32."""
        width = len(texts[0])
        flat = [text for one in texts for text in one]
        options = {"padding": True, "truncation": True, "max_length": self.max_tokens, "return_tensors": "pt"}
        batch = self.tokenizer(flat, **options).to(self.head.weight.device)
        states = self.network(**batch, output_hidden_states=True).hidden_states[self.view.layer]
        read = pool(states, batch["attention_mask"], self.view.pooling)
        rewards = self.head(read.to(self.head.weight.dtype)).to(torch.float32).reshape(-1, width)
        return rewards[:, 0] - rewards[:, 1] if width == 2 else rewards[:, 0]


class WholeBatchTrainer(Trainer):
    """Trainer whose loss is that of the whole batch, however small the micro-batches are.

    A loss with a threshold over the batch first takes the logits of all rows without gradients, so that its slope by
    each logit is known; then one micro-batch after the other is run again and fed with its slopes.  Any other loss is a
    mean over rows and needs one run.  The memory is that of one micro-batch; one that does not fit is halved.
    """

    def __init__(self, *arguments: Any, loss: str, micro_batch: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.loss, self.micro_batch, self.of_the_batch = by_name(loss), micro_batch, loss in OF_THE_BATCH

    def training_step(self, model: RewardModel, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """One optimiser step's gradients; returns the loss."""
        model.eval()
        texts, labels = inputs["texts"], inputs["labels"].to(model.head.weight.device)
        done = self.state.global_step / max(self.state.max_steps, 1)
        while True:
            try:
                return self._gradients(model, texts, labels, done)
            except (MemoryError, RuntimeError) as error:
                if self.micro_batch == 1 or not is_memory(error):
                    raise
                model.zero_grad()
                self.micro_batch = -(-self.micro_batch // 2)

    def _gradients(self, model: RewardModel, texts: Texts, labels: torch.Tensor, done: float) -> torch.Tensor:
        parts = [slice(start, start + self.micro_batch) for start in range(0, len(texts), self.micro_batch)]
        slopes, total = None, torch.zeros((), device=labels.device)
        if self.of_the_batch:
            slopes, total = self._slopes(model, texts, labels, done, parts)
        for rows in parts:
            with self.compute_loss_context_manager():
                logits = model(texts[rows])
                if slopes is None:
                    part = self.loss(logits[:, None], labels[rows, None], done).sum() / len(texts)
                    total += part.detach()
                else:
                    part = (logits * slopes[rows]).sum()
            self.accelerator.backward(part)
        return total

    def _slopes(
        self, model: RewardModel, texts: Texts, labels: torch.Tensor, done: float, parts: Sequence[slice]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Slope of the batch's loss by each of its logits, and the loss."""
        with torch.no_grad(), self.compute_loss_context_manager():
            logits = torch.cat([model(texts[rows]) for rows in parts])
        logits.requires_grad_()
        loss = self.loss(logits[:, None], labels[:, None], done).mean()
        return torch.autograd.grad(loss, logits)[0], loss.detach()


def finetune(
    loaded: Loaded, view: ReadOut, texts: Texts, labels: np.ndarray, recipe: Recipe, folder: Path, bfloat16: bool
) -> RewardModel:
    """Trained model.  Checkpoints lie in ``folder``; a killed run goes on from the last one."""
    model = RewardModel(loaded, view, recipe)
    steps = recipe.epochs * -(-len(texts) // recipe.batch_size)
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=recipe.batch_size,
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        weight_decay=0.0,
        max_grad_norm=0.0,
        bf16=bfloat16,
        use_cpu=loaded.network.device.type == "cpu",
        save_strategy="steps",
        save_steps=max(steps // 8, 1),
        save_total_limit=1,
        seed=recipe.seed,
        data_seed=recipe.seed,
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    rows = [{"texts": one, "labels": float(label)} for one, label in zip(texts, labels, strict=True)]
    trainer = WholeBatchTrainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=_collate,
        loss=recipe.loss,
        micro_batch=recipe.micro_batch,
    )
    if trainer.accelerator.num_processes > 1:
        raise InputError("finetuning takes its loss over the whole batch in one process; start it without a launcher")
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(folder)) if folder.exists() else None)
    return model


def predict(model: RewardModel, texts: Texts) -> np.ndarray:
    """Probabilities of class 1, (n,) float64, batches sorted by length."""
    logits = np.empty(len(texts))
    sizes = np.array([max(len(text) for text in one) for one in texts]) * len(texts[0])
    model.eval()
    with torch.inference_mode():
        for rows in batches(sizes, 4 * PREDICTED_TOKENS):  # about four characters a token
            logits[rows] = model([texts[row] for row in rows]).cpu().numpy()
    return 1 / (1 + np.exp(-logits))


def _collate(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    # Rows of similar length share a micro-batch: less padding, and the loss is a mean over the batch all the same.
    rows = sorted(rows, key=lambda row: max(len(text) for text in row["texts"]))
    return {"texts": [row["texts"] for row in rows], "labels": torch.tensor([row["labels"] for row in rows])}
