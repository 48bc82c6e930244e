"""Sampling from small transformers, one cached forward a token, and contrastive decoding of two of them.

Contrastive decoding as the code of Jiang et al. 2025 (ConG) has it.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.sequences import Sequences

Array = np.ndarray
Score = Callable[[Array], Tensor]  # further tokens (count, new) -> scores (count, words) of what follows them


class Reader:
    """A network that keeps keys and values of what it has read, so that a further token costs one token's work."""

    def __init__(self, model: Sequences) -> None:
        self.model, self.place = model, 0
        self.kept: list[tuple[Tensor, Tensor]] = []

    @torch.no_grad()
    def __call__(self, tokens: Array) -> Tensor:
        """Log-probabilities (count, words) after further tokens (count, new); first the prompt, then one at a time."""
        if self.kept and tokens.shape[1] != 1:
            raise ValueError(f"{tokens.shape[1]} tokens after the prompt; give one at a time")
        model, end = self.model, self.place + tokens.shape[1]
        shown = nn.functional.one_hot(torch.from_numpy(np.ascontiguousarray(tokens)), model.enter.in_features).float()
        hidden = model.enter(shown) + model.places[self.place : end]
        before: Sequence[tuple[Tensor, Tensor] | None] = self.kept or [None] * len(model.blocks)  # type: ignore[list-item]
        self.kept, self.place = [], end
        for block, kept in zip(model.blocks, before, strict=True):
            assert isinstance(block, nn.TransformerEncoderLayer)
            hidden = hidden + self._attended(block, block.norm1(hidden), kept)
            hidden = hidden + block.linear2(nn.functional.gelu(block.linear1(block.norm2(hidden))))
        return model.leave(model.norm(hidden[:, -1])).log_softmax(dim=-1)  # type: ignore[no-any-return]

    def _attended(
        self, block: nn.TransformerEncoderLayer, hidden: Tensor, kept: tuple[Tensor, Tensor] | None
    ) -> Tensor:
        own = block.self_attn
        mixed = nn.functional.linear(hidden, own.in_proj_weight, own.in_proj_bias)
        query, key, value = (part.unflatten(-1, (own.num_heads, -1)).transpose(1, 2) for part in mixed.chunk(3, dim=-1))
        if kept is not None:
            key, value = (torch.cat(pair, dim=2) for pair in zip(kept, (key, value), strict=True))
        self.kept.append((key, value))
        found = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=kept is None)
        return own.out_proj(found.transpose(1, 2).flatten(2))


def contrastive(aligned: Sequences, base: Sequences, alpha: float, plausible: float) -> Score:
    """Scores alpha log p + (1 - alpha) log(p / p0) of the words that ``aligned`` gives at least plausible * max p.

    p of the aligned model, p0 of the same one before alignment; -inf elsewhere.  alpha = 1: log p itself.
    """
    after, before = Reader(aligned), Reader(base)

    def scores(tokens: Array) -> Tensor:
        return contrasted(after(tokens), before(tokens), alpha, plausible)

    return scores


def contrasted(after: Tensor, before: Tensor, alpha: float, plausible: float) -> Tensor:
    """The scores from log-probabilities (..., words) of both models."""
    kept = after >= after.max(dim=-1, keepdim=True).values + np.log(plausible)
    return torch.where(kept, after - (1 - alpha) * before, -torch.inf)


def written(score: Score, prompts: Array, length: int, temperature: float, stream: np.random.Generator) -> Array:
    """Tokens (count, positions + length): prompts (count, positions) and what is sampled from exp(score / temperature).

    A score is that of a model, ``Reader(model)``, or of two, ``contrastive(...)``; each call wants a new one.
    """
    tokens = further = prompts
    for _ in range(length):
        scores = score(further).numpy().astype(np.float64) / temperature
        further = (scores + stream.gumbel(size=scores.shape)).argmax(axis=1)[:, None]  # a draw from the softmax
        tokens = np.concatenate([tokens, further], axis=1)
    return tokens
