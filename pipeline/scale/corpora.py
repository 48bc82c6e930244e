"""Text corpora cut into training rows: documents in a drawn order, joined by a separator, cut into rows without gaps.

Documents held out for the measurement are set apart first, so that no row of training holds a word of them.
"""

import lzma
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer

from pipeline.core import streams
from pipeline.core.errors import InputError

SEPARATOR = "<|endoftext|>"
HELD_OUT = 50  # one document in so many, at least one
BATCH = 64  # documents turned into tokens at once


class Divided(NamedTuple):
    """Documents of one corpus."""

    training: list[str]
    held_out: list[str]


def documents(path: Path) -> list[str]:
    """Texts of a compressed file, parted by lines that hold the separator alone."""
    try:
        with lzma.open(path, "rt", encoding="utf-8") as stream:
            text = stream.read()
    except (EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as UTF-8 text under xz ({error}); restore the file") from None
    found = [part.strip("\n") for part in text.split(f"\n{SEPARATOR}\n")]
    return [part for part in found if part]


def divided(name: str, texts: Sequence[str], seed: int) -> Divided:
    """Texts in a drawn order, the first of them held out.  Raises InputError where there are fewer than two."""
    if len(texts) < 2:
        raise InputError(f"corpus '{name}' has {len(texts)} documents; one is held out, so it needs at least 2")
    order = streams.generator(seed, f"pretrain/{name}/documents").permutation(len(texts))
    count = max(1, len(texts) // HELD_OUT)
    drawn = [texts[place] for place in order]
    return Divided(drawn[count:], drawn[:count])


def training_rows(
    tokenizer: Tokenizer, corpora: Mapping[str, Sequence[str]], shares: Mapping[str, float], tokens: int, context: int
) -> np.ndarray:
    """About ``tokens`` tokens as rows (n, context), uint16 or int32, each corpus giving its share of the rows.

    Only as many documents are read as are needed; a corpus that is too short is gone round again.
    """
    total = sum(shares.values())
    found = []
    for name, texts in corpora.items():
        rows = max(1, round(tokens * shares[name] / total / context))
        found.append(packed(_until(tokenizer, texts, rows * context), rows, context))
    return np.concatenate(found)


def held_out_rows(tokenizer: Tokenizer, texts: Sequence[str], tokens: int, context: int) -> np.ndarray:
    """Rows (n, context) of about ``tokens`` tokens, every document giving as many of its first tokens as the others."""
    each = max(1, tokens // len(texts))
    joined = np.concatenate([one[:each] for one in _encoded(tokenizer, texts)])
    if len(joined) < context:
        raise InputError(f"the held-out documents have {len(joined)} tokens, less than one row of {context}")
    return joined[: len(joined) // context * context].reshape(-1, context)


def packed(tokens: np.ndarray, rows: int, context: int) -> np.ndarray:
    """The first ``rows`` rows of a stream of tokens, which starts again when it ends."""
    return np.resize(tokens, (rows, context))


def order(seed: int, rows: int, needed: int) -> np.ndarray:
    """Row that serves as each example of training, (needed,): all once in a drawn order, then all again."""
    stream = streams.generator(seed, "pretrain/rows")
    rounds = [stream.permutation(rows) for _ in range(-(-needed // rows))]
    return np.concatenate(rounds)[:needed]


def _until(tokenizer: Tokenizer, texts: Sequence[str], wanted: int) -> np.ndarray:
    kept, count = [], 0
    for one in _encoded(tokenizer, texts):
        kept.append(one)
        count += len(one)
        if count >= wanted:
            break
    return np.concatenate(kept)


def _encoded(tokenizer: Tokenizer, texts: Sequence[str]) -> Iterator[np.ndarray]:
    """Tokens of each text with the separator before it, as GPT-NeoX's packing has it."""
    kind = np.uint16 if tokenizer.get_vocab_size() <= 2**16 else np.int32
    separator = tokenizer.token_to_id(SEPARATOR)
    for start in range(0, len(texts), BATCH):
        for one in tokenizer.encode_batch_fast(list(texts[start : start + BATCH]), add_special_tokens=False):
            yield np.array([separator, *one.ids], dtype=kind)
