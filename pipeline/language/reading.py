"""Features of texts from a frozen network: one forward pass, several read-outs.

A read-out is a layer (0: token embeddings; the last one carries the network's final norm) and a pooling: the last
token or the mean of the tokens, both by the attention mask, so that padding never counts as text.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from pipeline.language.loading import Loaded

BATCH_TOKENS = 2048  # of a batch with its padding: the intermediate states stay near the processor


class ReadOut(NamedTuple):
    """What is taken from the network."""

    layer: int
    pooling: str


def lengths(loaded: Loaded, texts: Sequence[str]) -> np.ndarray:
    """Tokens of each text before truncation, shape (n,)."""
    return np.array([len(tokens) for tokens in loaded.tokenizer(list(texts))["input_ids"]])


def read(loaded: Loaded, texts: Sequence[str], read_outs: Sequence[ReadOut], max_tokens: int) -> list[np.ndarray]:
    """One float32 array (texts, hidden) a read-out.  A longer text loses its beginning."""
    found = [np.empty((len(texts), loaded.hidden), dtype=np.float32) for _ in read_outs]
    sizes = np.minimum(lengths(loaded, texts), max_tokens)
    for rows in batches(sizes, BATCH_TOKENS):
        for array, values in zip(
            found, _read_batch(loaded, [texts[i] for i in rows], read_outs, max_tokens), strict=True
        ):
            array[rows] = values
    return found


def batches(sizes: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Rows of batches of at most ``budget`` tokens with padding, neighbours in length together."""
    order = np.argsort(sizes, kind="stable")
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or sizes[order[end]] * (end + 1 - start) > budget:
            yield order[start:end]
            start = end


def pool(states: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """(batch, tokens, hidden) and the attention mask (batch, tokens) -> (batch, hidden), in float32."""
    if pooling == "mean":
        weights = mask.to(torch.float32).unsqueeze(-1)
        return (states.to(torch.float32) * weights).sum(dim=1) / weights.sum(dim=1)
    # The last attended place, whichever side is padded and whatever token serves as padding.
    places = torch.arange(mask.shape[1], device=mask.device)
    last = (mask * places).argmax(dim=1)
    return states[torch.arange(len(states), device=states.device), last].to(torch.float32)


def _read_batch(loaded: Loaded, texts: list[str], read_outs: Sequence[ReadOut], max_tokens: int) -> list[np.ndarray]:
    try:
        return _forward(loaded, texts, read_outs, max_tokens)
    except (MemoryError, RuntimeError) as error:
        if len(texts) == 1 or not is_memory(error):
            raise
    half = len(texts) // 2
    parts = [_read_batch(loaded, part, read_outs, max_tokens) for part in (texts[:half], texts[half:])]
    return [np.concatenate(pair) for pair in zip(*parts, strict=True)]


def is_memory(error: BaseException) -> bool:
    """Whether a batch was refused because it did not fit."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(error)


def _forward(loaded: Loaded, texts: list[str], read_outs: Sequence[ReadOut], max_tokens: int) -> list[np.ndarray]:
    batch = loaded.tokenizer(texts, padding=True, truncation=True, max_length=max_tokens, return_tensors="pt")
    batch = batch.to(loaded.network.device)
    with torch.inference_mode():
        states = loaded.network(**batch, output_hidden_states=True).hidden_states
        return [pool(states[layer], batch["attention_mask"], way).cpu().numpy() for layer, way in read_outs]
