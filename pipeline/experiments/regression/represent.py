"""What each rung sees of every row.  Items: `<rung>` -> `features` (rows, width) float32; `report` with tokens."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core import artifacts
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences.common import models
from pipeline.experiments.preferences.settings import View
from pipeline.experiments.regression.settings import (
    Hashed,
    Joined,
    Molecules,
    Morgan,
    Represent,
    Settings,
    Surface,
    Words,
)
from pipeline.language import cache

HOME = artifacts.ARTIFACTS / "features"
PIECE = 250  # rows a worker reads with a network at a time


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Features of every rung; a unit is a piece of the rows read by one network, so that progress shows."""
    texts, represent = tuple(upstream["data"]["rows"]["text"]), settings.represent
    units: dict[str, tuple[Any, ...]] = {}
    for name, rung in represent.ladder.items():
        if not isinstance(rung, View | Joined):
            width = PIECE if isinstance(rung, Molecules) else len(texts)
            pieces = {f"{name}--{first}": texts[first : first + width] for first in range(0, len(texts), width)}
            units |= {unit: (describe, rung, piece, HOME.resolve()) for unit, piece in pieces.items()}
    for model in dict.fromkeys(view.model for view in represent.views().values()):
        place, views = models.place(represent.models[model]), models.read_outs(model, represent.views())
        for first in range(0, len(texts), PIECE):
            piece = texts[first : first + PIECE]
            order = cache.Order(place.identity, represent.precision, views, represent.max_tokens, piece)
            units[f"{model}--model--{first}"] = (models.features, model, place, order, HOME.resolve())
    return _bundle(pool.map(_apply, units), represent)


def describe(rung: Words | Hashed | Surface | Morgan | Molecules, texts: tuple[str, ...], home: Path) -> Arrays:
    """Features of some rows by a rung that is no language model, (rows, width)."""
    if isinstance(rung, Words):
        return {"features": words(texts, rung.words)}
    if isinstance(rung, Hashed):
        return {"features": hashed(texts, rung.hashed)}
    if isinstance(rung, Surface):
        return {"features": surface(texts, rung.surface)}
    if isinstance(rung, Morgan):
        from pipeline.models.molecules import morgan

        return {"features": morgan.represent(texts, rung.morgan, rung.radius)}
    from pipeline.models.molecules import minimol

    return {"features": minimol.read(texts, minimol.model_file(), home)}


def words(texts: tuple[str, ...], count: int) -> np.ndarray:
    """Tf-idf of the most frequent words of all texts, (rows, words), float32."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        return TfidfVectorizer(max_features=count, sublinear_tf=True).fit_transform(texts).toarray().astype(np.float32)
    except ValueError as error:  # of texts without a word of two letters
        raise InputError(
            f"represent.ladder of {{where}}: no word count of these texts ({error}); drop that rung"
        ) from None


def hashed(texts: tuple[str, ...], count: int) -> np.ndarray:
    """Words hashed into ``count`` signed counts, each text of unit length: (rows, count), float32."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(n_features=count).transform(texts).toarray().astype(np.float32)  # type: ignore[no-any-return]


def surface(texts: tuple[str, ...], wanted: tuple[str, ...]) -> np.ndarray:
    """Statistics of a text's surface, each standardised over all rows: (rows, wanted), float32.

    Logarithms of one more than a count, since counts are skewed; `word_length` is the mean, in characters.
    """
    columns = []
    for name in wanted:
        values = np.array([SURFACE[name](text) for text in texts], dtype=np.float64)
        values = values if name == "word_length" else np.log1p(values)
        columns.append((values - values.mean()) / (values.std() or 1.0))
    return np.stack(columns, axis=1).astype(np.float32)


SURFACE: dict[str, Callable[[str], float]] = {
    "characters": len,
    "words": lambda text: len(text.split()),
    "distinct": lambda text: len(set(text.lower().split())),
    "sentences": lambda text: len(re.findall(r"[.!?]+", text)),
    "commas": lambda text: text.count(","),
    "word_length": lambda text: len("".join(text.split())) / max(1, len(text.split())),
}


def side_by_side(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Features (rows, width) of several rungs, each divided by the root of its total variance: (rows, all widths)."""
    return np.concatenate([part / (np.sqrt(part.var(axis=0).sum()) or 1.0) for part in parts], axis=1)


def _apply(function: Any, *arguments: Any) -> Arrays:
    return function(*arguments)  # type: ignore[no-any-return]


def _bundle(found: Mapping[str, Arrays], represent: Represent) -> dict[str, Any]:
    items: dict[str, Any] = {}
    for name, rung in represent.ladder.items():
        if isinstance(rung, Joined):
            continue
        own = f"{rung.model}--model--" if isinstance(rung, View) else f"{name}--"
        key = f"{rung.layer}.{rung.pooling}" if isinstance(rung, View) else "features"
        pieces = [arrays[key] for unit, arrays in found.items() if unit.startswith(own) and key in arrays]
        items[name] = {"features": np.concatenate(pieces)}
    for name, rung in represent.ladder.items():
        if isinstance(rung, Joined):
            items[name] = {"features": side_by_side([items[other]["features"] for other in rung.joined])}
    lengths = {unit: arrays["lengths"] for unit, arrays in found.items() if "lengths" in arrays}
    report: dict[str, dict[str, int]] = {}
    for unit, own_lengths in lengths.items():
        counts = report.setdefault(unit.split("--")[0], {"tokens": 0, "truncated": 0})
        counts["tokens"] += int(np.minimum(own_lengths, represent.max_tokens).sum())
        counts["truncated"] += int((own_lengths > represent.max_tokens).sum())
    return {**items, "report": report}
