"""A whole network finetuned on texts and followed along training: its predictions after parts of epochs.

A text's logit is a linear head on one read-out of the network, as in finetuning.py; here the rate stays constant, so
that what is kept after an epoch is what a run of that length ends with.  Dropout is off.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from pipeline.language import reading
from pipeline.language.loading import Loaded
from pipeline.language.losses import Loss, by_name

PREDICTED_TOKENS = 2048  # of a batch with its padding

Array = np.ndarray
Samples = Mapping[str, Sequence[str]]  # texts by name


class Training(NamedTuple):
    """How a network is trained: AdamW (torch's betas) at a constant rate."""

    loss: str
    micro_batch: int  # the gradient is that of the whole batch all the same
    learning_rate: float
    weight_decay: float
    pooling: str
    max_tokens: int
    bfloat16: bool  # autocast; weights and their steps stay in float32
    seed: int


class Classifier(torch.nn.Module):
    """A network with a linear head on its last layer, from texts to logits."""

    def __init__(self, loaded: Loaded, training: Training) -> None:
        super().__init__()
        torch.manual_seed(training.seed)
        self.tokenizer, self.network, self.training_ = loaded.tokenizer, loaded.network, training
        self.head = torch.nn.Linear(loaded.hidden, 1, bias=False)
        self.to(loaded.network.device)
        if self.head.weight.device.type == "cpu":  # a fifth faster than torch's own kernel on texts of tens of tokens
            self.network.set_attn_implementation("eager")

    def forward(self, texts: Sequence[str]) -> torch.Tensor:
        """Logits, (batch,), float32."""
        options = {"padding": True, "truncation": True, "max_length": self.training_.max_tokens}
        batch = self.tokenizer(list(texts), return_tensors="pt", **options).to(self.head.weight.device)
        with self.precision():
            states = self.network(**batch).last_hidden_state
        return self.head(reading.pool(states, batch["attention_mask"], self.training_.pooling))[:, 0]

    def precision(self) -> AbstractContextManager[None]:
        """Matrix products in bfloat16 where the training says so; the head stays in float32."""
        return torch.autocast(self.head.weight.device.type, torch.bfloat16, enabled=self.training_.bfloat16)


def follow(
    loaded: Loaded,
    texts: Sequence[str],
    labels: Array,
    batches: Sequence[Array],
    looks: Sequence[int],
    training: Training,
    seen: tuple[Samples, Samples],
    name: str,
) -> dict[str, Array]:
    """Train on probabilities of class 1, labels (n,), a step on the rows of each batch.

    looks: numbers of steps after which the samples of the first of ``seen`` are predicted; those of the second are once
    all steps are done.  Returns for each sample probabilities of class 1, (looks, rows) or (rows,), and `objective`,
    the mean loss of the batches since the look before, (looks,).  Raises FloatingPointError on divergence.
    """
    model, loss = Classifier(loaded, training), by_name(training.loss)
    options = {"weight_decay": training.weight_decay, "fused": True}  # one pass over the weights: a third of the time
    optimiser = torch.optim.AdamW(model.parameters(), training.learning_rate, **options)
    along: dict[str, list[Array]] = {sample: [] for sample in (*seen[0], "objective")}
    losses: list[float] = []
    for step, rows in enumerate(tqdm(batches, desc=name, disable=None, leave=False), start=1):
        losses.append(_gradients(model, loss, rows, texts, labels, step / len(batches)))
        if not np.isfinite(losses[-1]):
            raise FloatingPointError(f"the loss is not finite at step {step} of {len(batches)}")
        optimiser.step()
        optimiser.zero_grad()
        for _ in range(looks.count(step)):
            for sample, own in seen[0].items():
                along[sample].append(predict(model, own))
            along["objective"].append(np.array(np.mean(losses)))
        losses = [] if step in looks else losses
    found = {sample: np.stack(values) for sample, values in along.items()}
    return found | {sample: predict(model, own) for sample, own in seen[1].items()}


def predict(model: Classifier, texts: Sequence[str]) -> Array:
    """Probabilities of class 1, (n,) float64."""
    logits = np.empty(len(texts))
    with torch.inference_mode():
        for rows in reading.batches(_sizes(texts), 4 * PREDICTED_TOKENS):
            logits[rows] = model([texts[row] for row in rows]).cpu().numpy()
    return 1 / (1 + np.exp(-logits))


def _gradients(model: Classifier, loss: Loss, rows: Array, texts: Sequence[str], labels: Array, done: float) -> float:
    """Gradients of one step; returns the mean loss of its rows."""
    total = 0.0
    for part in _micro_batches(rows, texts, model.training_.micro_batch):
        target = torch.tensor(labels[part], dtype=torch.float32, device=model.head.weight.device)
        logits = model([texts[row] for row in part])
        value = loss(logits[:, None], target[:, None], done).sum() / len(rows)
        value.backward()
        total += float(value.detach())
    return total


def _micro_batches(rows: Array, texts: Sequence[str], size: int) -> Iterator[Array]:
    """Rows of similar length together: less padding."""
    rows = rows[np.argsort(_sizes([texts[row] for row in rows]), kind="stable")]
    return iter(np.split(rows, range(size, len(rows), size)))


def _sizes(texts: Sequence[str]) -> Array:
    return np.array([len(text) for text in texts])  # characters, about four a token
