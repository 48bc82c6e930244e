"""One finetuned network along training, kept by a hash of all that can change it (`artifacts/finetuned`).

A run takes minutes: another seed, teacher or control, or a change elsewhere in the study, repeats none.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.core import artifacts, keys, streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.experiments.finetuning.settings import Strong
from pipeline.experiments.preferences.common import models
from pipeline.language import reading

Array = np.ndarray
HOME = artifacts.ARTIFACTS / "finetuned"
CODE = ("following", "losses", "reading")  # modules of pipeline/language that make the result


class Run(NamedTuple):
    """What one network learns and what is asked of it."""

    dataset: str
    seed: int
    texts: tuple[str, ...]
    labels: Array  # (n,) probabilities of class 1
    rows: int  # of an epoch: a network with fewer rows takes as many steps
    along: Mapping[str, tuple[str, ...]]  # predicted at every look
    after: Mapping[str, tuple[str, ...]]  # predicted after the last one


def train(run: Run, settings: Strong, place: models.Place, max_tokens: int, name: str, home: Path) -> Arrays:
    """`<sample>` of ``along`` (looks, rows), of ``after`` (rows,), and `objective` (looks,)."""
    order = {
        "model": place.identity,
        "max_tokens": max_tokens,
        **settings.model_dump(mode="json", exclude={"model"}),
        **run._replace(labels=None)._asdict(),
    }
    kept = home / f"{_digest(order, run.labels)}.safetensors"
    if not kept.exists():
        artifacts.write_arrays(kept, _followed(run, settings, place, max_tokens, name))
    return artifacts.read_item(kept)


def batches(run: Run, settings: Strong) -> tuple[list[Array], list[int]]:
    """Rows of every step, all rows in a new order as often as needed, and the steps after which is looked."""
    steps = -(-run.rows // settings.batch_size)
    total = steps * int(settings.epochs[-1])
    each = -(-len(run.texts) // settings.batch_size)
    stream = streams.generator(run.seed, f"finetuning/{run.dataset}/order")
    found = [
        rows
        for order in streams.orders(stream, -(-total // each), len(run.texts))
        for rows in np.split(order, range(settings.batch_size, len(order), settings.batch_size))
    ]
    return found[:total], [max(round(epoch * steps), 1) for epoch in settings.epochs]


def _followed(run: Run, settings: Strong, place: models.Place, max_tokens: int, name: str) -> Arrays:
    from pipeline.language import following, loading  # slow to import, and only needed here

    shared = ("loss", "micro_batch", "learning_rate", "weight_decay", "pooling")
    training = following.Training(
        **{key: getattr(settings, key) for key in shared},
        max_tokens=max_tokens,
        bfloat16=settings.precision == "bfloat16",
        seed=run.seed,
    )
    loaded = loading.load(place.files, "float32", place.revision)
    steps, looks = batches(run, settings)
    try:
        return following.follow(loaded, run.texts, run.labels, steps, looks, training, (run.along, run.after), name)
    except FloatingPointError as error:
        raise InputError(f"{name}: {error}; lower strong.learning_rate in {{where}}") from None


def _digest(order: Mapping[str, object], labels: Array) -> str:
    digest = hashlib.sha256(json.dumps(order).encode())
    digest.update(np.ascontiguousarray(labels).tobytes())
    language = Path(reading.__file__).parent
    for name in CODE:
        digest.update(keys.bare((language / f"{name}.py").read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:32]
