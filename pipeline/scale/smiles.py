"""SMILES transformers of any size, up to MolBERT's (12 layers, 768), pretrained by the loop of this package.

Objectives, masking, positions and the order of batches are those of pipeline/models/molecules.  All molecules of a
batch have one length: nothing is padded, attention needs no mask and runs fused.  Batches are masked on the host, with
the same draws whatever the device, while the device still works on the batch before; descriptors lie on the device.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel

from pipeline.core import streams
from pipeline.models.molecules import pretraining, transformer
from pipeline.models.molecules.transformer import LONGEST, POSITION_SCALE, Sequences, clipped, sinusoids
from pipeline.scale import machine, training
from pipeline.scale.throughput import Meter, flops_per_token
from pipeline.scale.training import Batch

BETAS, FINAL = (0.9, 0.999), 0.0  # torch's own betas and a linear fall to zero, as the laptop's pretraining
FEATURE_BATCH = 256


class Shape(NamedTuple):
    """Shape of a transformer and of its two readings; ``inner``: width of the feed-forward layers."""

    hidden: int
    layers: int
    attention_heads: int
    inner: int
    words: int
    descriptors: int


class Pretraining(NamedTuple):
    """A recipe in epochs; the rest as in the loop's own recipe."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup: float
    masked: float
    clip: float
    precision: Literal["float32", "bfloat16"]


class Bert(nn.Module):
    """`SmilesBert` with fused attention, for sequences of one length; parameters have the same names and shapes."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        config = BertConfig(
            vocab_size=shape.words,
            hidden_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.attention_heads,
            intermediate_size=shape.inner,
            max_position_embeddings=LONGEST,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            attn_implementation="sdpa",
        )
        self.bert = BertModel(config, add_pooling_layer=False)
        self.words = nn.Linear(shape.hidden, shape.words)
        self.descriptors = nn.Linear(shape.hidden, shape.descriptors)
        positions = self.bert.embeddings.position_embeddings.weight
        positions.requires_grad_(False)
        positions.copy_(POSITION_SCALE * torch.from_numpy(sinusoids(LONGEST, shape.hidden)))

    def forward(self, tokens: Tensor) -> Tensor:
        """Representation of every token: (batch, length) -> (batch, length, hidden); there is no padding."""
        return self.bert(input_ids=tokens).last_hidden_state


def initialised(shape: Shape, seed: int) -> Bert:
    """A new model; its initial weights depend on nothing but shape and seed."""
    with torch.random.fork_rng(devices=()), torch.no_grad():
        torch.manual_seed(seed)
        return Bert(shape)


def pretrain(
    model: Bert,
    shape: Shape,
    sequences: Sequences,
    descriptors: np.ndarray,
    recipe: Pretraining,
    seed: int,
    folder: Path,
    record: Path,
    most: int | None = None,
) -> np.ndarray:
    """Train in place; returns both losses of every step, (steps, 2).  ``folder``: state; ``record``: throughput.

    most: steps at most, where the epochs have more; the learning rate falls to zero over those that are made.
    """
    plan = planned(sequences.lengths, recipe, seed)[:most]
    batch_of = batches(sequences, descriptors, plan, recipe.masked, shape.words, seed)
    meter = Meter(flops(shape, sequences.lengths), record)
    return training.train(model, batch_of, loss, loop(recipe, len(plan)), folder, meter=meter)


def loop(recipe: Pretraining, steps: int) -> training.Recipe:
    """The loop's own recipe for so many steps."""
    return training.Recipe(
        steps,
        recipe.learning_rate,
        recipe.weight_decay,
        BETAS,
        recipe.warmup,
        "linear",
        FINAL,
        recipe.clip,
        recipe.precision,
    )


def planned(lengths: np.ndarray, recipe: Pretraining, seed: int) -> list[np.ndarray]:
    """Rows of every step: each epoch sees every molecule once, in batches of one length."""
    stream = streams.generator(seed, "scale/smiles-order")
    return [rows for _ in range(recipe.epochs) for rows in transformer.batches(lengths, recipe.batch_size, stream)]


def batches(
    sequences: Sequences, descriptors: np.ndarray, plan: list[np.ndarray], share: float, words: int, seed: int
) -> Callable[[int], Batch]:
    """Batch of a step: masked tokens, what they were, and descriptors."""
    device = machine.device()
    targets = torch.from_numpy(descriptors).to(device)

    def batch_of(step: int) -> Batch:
        rows = plan[step]
        tokens = clipped(sequences, rows)
        masked = pretraining.masked(tokens, share, words, streams.generator(seed, f"scale/smiles-masks-{step}"))
        asked = max(1, int((masked[1] != pretraining.NOT_ASKED).sum()))
        inputs, originals, places = (machine.moved(part, device) for part in (*masked, torch.from_numpy(rows)))
        return Batch(
            (inputs, originals, targets[places]),
            (float(asked), float(len(rows) * descriptors.shape[1])),
            tokens.numel(),
        )

    return batch_of


def loss(model: Bert, inputs: Tensor, asked: Tensor, descriptors: Tensor) -> Tensor:
    """Sums of the cross-entropy of masked tokens and of the squared error of descriptors, shape (2,).

    Every token is scored, also those not asked for: their number is known only on the device, and the loop would wait.
    """
    states = model(inputs)
    scores = model.words(states).flatten(0, 1).float()
    cross_entropy = functional.cross_entropy(
        scores, asked.flatten(), ignore_index=pretraining.NOT_ASKED, reduction="sum"
    )
    errors = model.descriptors(states.mean(dim=1)).float() - descriptors
    return torch.stack([cross_entropy, errors.square().sum()])


def represent(model: Bert, sequences: Sequences) -> np.ndarray:
    """Frozen features, the mean over all tokens: (molecules, hidden), float32 at full precision."""
    device = machine.device()
    model.to(device).eval()
    features = np.empty((len(sequences.lengths), model.words.in_features), dtype=np.float32)
    with torch.inference_mode():
        for rows in transformer.batches(sequences.lengths, FEATURE_BATCH, np.random.default_rng(0)):
            features[rows] = model(clipped(sequences, rows).to(device)).mean(dim=1).cpu().numpy()
    return features


def weights(model: Bert) -> dict[str, np.ndarray]:
    """Parameters by name, on the host."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}


def flops(shape: Shape, lengths: np.ndarray) -> float:
    """Model FLOPs of a token, at the mean over tokens of the length of their molecule.

    Matrices: four of attention and two of the feed-forward part a layer, and the scores of the words.
    """
    layer = 4 * shape.hidden**2 + 2 * shape.hidden * shape.inner
    matrices = shape.layers * layer + shape.hidden * shape.words
    counted = lengths.astype(np.float64)
    return flops_per_token(matrices, shape.layers, shape.hidden, float((counted**2).sum() / counted.sum()))
