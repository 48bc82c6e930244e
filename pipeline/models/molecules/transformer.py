"""Small BERTs over SMILES.

Where the order of molecules is free, those of one length share a batch: nothing is padded, which is faster.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from pipeline.models.molecules.special import PAD

LONGEST = 512  # tokens
FEATURE_BATCH = 256
# Smaller than the words they are added to, or a narrow model reads little but positions at first.
POSITION_SCALE = 0.1


class Sequences(NamedTuple):
    """Token numbers (molecules, longest) and the lengths (molecules,) up to which they count."""

    tokens: np.ndarray
    lengths: np.ndarray


class Size(NamedTuple):
    """Shape of a model and of its two readings."""

    hidden: int
    layers: int
    attention_heads: int
    words: int
    descriptors: int


class SmilesBert(nn.Module):
    """A BERT with two readings: the masked tokens, and descriptors from the mean over all tokens.

    Positions are fixed sinusoids as in MolBERT, so a length never seen in pretraining is no special case.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        config = BertConfig(
            vocab_size=size.words,
            hidden_size=size.hidden,
            num_hidden_layers=size.layers,
            num_attention_heads=size.attention_heads,
            intermediate_size=2 * size.hidden,  # as MolBERT's own `--tiny`
            max_position_embeddings=LONGEST,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            attn_implementation="eager",
        )
        self.bert = BertModel(config, add_pooling_layer=False)
        self.words = nn.Linear(size.hidden, size.words)
        self.descriptors = nn.Linear(size.hidden, size.descriptors)
        positions = self.bert.embeddings.position_embeddings.weight
        positions.requires_grad_(False)
        positions.copy_(POSITION_SCALE * torch.from_numpy(sinusoids(LONGEST, size.hidden)))

    def forward(self, tokens: Tensor) -> Tensor:
        """Representation of every token: (batch, length) -> (batch, length, hidden); padding is not attended to."""
        counted = tokens != PAD
        mask = None if counted.all() else counted
        return self.bert(input_ids=tokens, attention_mask=mask).last_hidden_state

    def pooled(self, tokens: Tensor) -> Tensor:
        """Representation of a molecule, the mean over its tokens: (batch, length) -> (batch, hidden)."""
        counted = (tokens != PAD).unsqueeze(-1)
        return (self(tokens) * counted).sum(dim=1) / counted.sum(dim=1)


def initialised(size: Size, seed: int) -> SmilesBert:
    """A new model; its initial weights depend on nothing but size and seed."""
    with torch.random.fork_rng(devices=()), torch.no_grad():
        torch.manual_seed(seed)
        return SmilesBert(size)


def weights(model: SmilesBert) -> dict[str, np.ndarray]:
    """Parameters and buffers by name."""
    return {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}


def restored(size: Size, stored: dict[str, np.ndarray]) -> SmilesBert:
    """The model whose weights were stored."""
    model = initialised(size, seed=0)
    model.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in stored.items()})
    return model


def represent(model: SmilesBert, sequences: Sequences) -> np.ndarray:
    """Frozen features: the mean over all tokens, as pretraining reads descriptors.  (molecules, hidden), float32."""
    features = np.empty((len(sequences.lengths), model.words.in_features), dtype=np.float32)
    with torch.inference_mode():
        for rows in batches(sequences.lengths, FEATURE_BATCH, np.random.default_rng(0)):
            features[rows] = model.pooled(clipped(sequences, rows)).numpy()
    return features


def batches(lengths: np.ndarray, size: int, stream: np.random.Generator) -> Iterator[np.ndarray]:
    """Rows of each batch, in random order; all rows of a batch have the same length."""
    order = stream.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    ends = np.flatnonzero(np.diff(lengths[order])) + 1
    groups = [part for group in np.split(order, ends) for part in np.split(group, range(size, len(group), size))]
    for index in stream.permutation(len(groups)):
        yield groups[index]


def clipped(sequences: Sequences, rows: np.ndarray) -> Tensor:
    """Tokens of some rows, cut to the longest of them: (rows, length), int64."""
    length = int(sequences.lengths[rows].max())
    return torch.from_numpy(sequences.tokens[rows, :length].astype(np.int64))


def sinusoids(positions: int, hidden: int) -> np.ndarray:
    """Fixed positions of Vaswani et al. 2017, shape (positions, hidden), float32."""
    rates = 10_000.0 ** (-np.arange(0, hidden, 2) / hidden)
    angles = np.arange(positions)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)[:, :hidden].astype(np.float32)
