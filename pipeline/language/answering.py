"""Answers of a causal network after a shared context: written greedily, and the probability of given ones.

The context is read once and its keys and values are kept for all questions of a batch.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import torch

from pipeline.core.errors import InputError
from pipeline.language.loading import Loaded

Array = np.ndarray


class Read(NamedTuple):
    """Where a batch stands: keys and values, attention (batch, tokens), logits of the next token (batch, words)."""

    cache: Any
    mask: torch.Tensor
    logits: torch.Tensor


def answered(
    loaded: Loaded, context: str, questions: Sequence[str], options: Sequence[Sequence[str]], opening: str, length: int
) -> tuple[list[str], Array]:
    """What follows ``context`` + question greedily, at most ``length`` tokens; and of options after ``opening``.

    Returns texts (n,) and log-probabilities a token (n, options), float64.  Raises InputError for a network whose
    words do not enter and leave by one matrix, since its language-model head is not loaded.
    """
    if not getattr(loaded.network.config, "tie_word_embeddings", False):
        raise InputError(
            "the network has a language-model head of its own (tie_word_embeddings is false); take another"
        )
    with torch.inference_mode():
        read = _questions(loaded, context, questions)
        columns = [
            _likelihood(loaded, read, opening, [own[place] for own in options]) for place in range(len(options[0]))
        ]
        return _written(loaded, read, length), np.stack(columns, axis=1)


def _tokens(loaded: Loaded, texts: Sequence[str]) -> list[list[int]]:
    return [list(tokens) for tokens in loaded.tokenizer(list(texts), add_special_tokens=False)["input_ids"]]


def _questions(loaded: Loaded, context: str, questions: Sequence[str]) -> Read:
    """Read the context once and the questions after it, these padded on the left."""
    device = loaded.network.device
    first, own = torch.tensor(_tokens(loaded, [context]), device=device), _tokens(loaded, questions)
    cache = loaded.network(input_ids=first, use_cache=True).past_key_values
    cache.batch_repeat_interleave(len(questions))
    longest = max(map(len, own))
    padded = torch.tensor(
        [[loaded.tokenizer.pad_token_id] * (longest - len(each)) + each for each in own], device=device
    )
    kept = torch.tensor([[0] * (longest - len(each)) + [1] * len(each) for each in own], device=device)
    mask = torch.cat([torch.ones(len(own), first.shape[1], dtype=kept.dtype, device=device), kept], dim=1)
    return Read(cache, mask, _logits(loaded, _states(loaded, cache, padded, mask)[:, -1]))


def _states(loaded: Loaded, cache: Any, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Last states (batch, tokens, hidden) of more tokens, whose keys and values join the cache."""
    places = (mask.cumsum(dim=1) - 1).clamp_min(0)[:, -tokens.shape[1] :]
    options = {"attention_mask": mask, "position_ids": places, "past_key_values": cache, "use_cache": True}
    states: torch.Tensor = loaded.network(input_ids=tokens, **options).last_hidden_state
    return states


def _logits(loaded: Loaded, states: torch.Tensor) -> torch.Tensor:
    """Logits (..., words) in float32."""
    return (states @ loaded.network.get_input_embeddings().weight.T).float()


def _likelihood(loaded: Loaded, read: Read, opening: str, options: Sequence[str]) -> Array:
    """Log-probability a token of one option a question, (n,); the opening stands before it and does not count."""
    opened, own = len(_tokens(loaded, [opening])[0]), _tokens(loaded, [opening + option for option in options])
    longest, device = max(map(len, own)), read.mask.device
    tokens = torch.tensor(
        [each + [loaded.tokenizer.pad_token_id] * (longest - len(each)) for each in own], device=device
    )
    kept = torch.tensor([[1] * len(each) + [0] * (longest - len(each)) for each in own], device=device)
    states = _states(loaded, deepcopy(read.cache), tokens, torch.cat([read.mask, kept], dim=1))
    before = _logits(loaded, states[:, opened - 1 : -1]).log_softmax(dim=-1)
    each = before.gather(-1, tokens[:, opened:, None])[..., 0]
    counted = kept[:, opened:]
    return np.asarray(((each * counted).sum(dim=1) / counted.sum(dim=1)).double().cpu().numpy())


def _written(loaded: Loaded, read: Read, length: int) -> list[str]:
    """Greedy continuation of each question up to the end of its text; uses the cache up."""
    logits, mask, found = read.logits, read.mask, []
    going = torch.ones(len(mask), dtype=torch.bool, device=mask.device)
    for _ in range(length):
        chosen = logits.argmax(dim=-1)
        chosen[~going] = loaded.tokenizer.eos_token_id
        found.append(chosen)
        going = going & (chosen != loaded.tokenizer.eos_token_id)
        if not going.any():
            break
        mask = torch.cat([mask, going[:, None].to(mask.dtype)], dim=1)
        logits = _logits(loaded, _states(loaded, read.cache, chosen[:, None], mask)[:, -1])
    return list(loaded.tokenizer.batch_decode(torch.stack(found, dim=1), skip_special_tokens=True))
