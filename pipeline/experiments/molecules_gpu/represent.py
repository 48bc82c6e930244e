"""Pretrain the strong transformer and the weak ladder on the device, and read every downstream molecule with them.

Items as in the molecules experiment: `strong` and one per rung with features (n, width) by data set; `weights-<item>`
and `losses-<item>` of all; `rungs`, the table of all, the strong one last.  Throughput is kept apart.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common.pretrained import sequences
from pipeline.experiments.molecules.common.pretrained import shape as size_of
from pipeline.experiments.molecules.common.rungs import STRONG, Rung, table, weak_rungs
from pipeline.experiments.molecules_gpu.settings import Pretraining, Settings, StrongModel
from pipeline.models.molecules import transformer
from pipeline.scale import devices, smiles, throughput

STUDY = "molecules_gpu"
PREFIX = "weights."


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Features of the strong model, then of every rung; the strong model trains alone, the rungs side by side."""
    data, chosen = upstream["data"], settings.represent
    rungs = weak_rungs(chosen.ladder, chosen.seeds)
    named = Rung(STRONG, 0, chosen.strong.seed, f"smilesbert-{chosen.strong.layers}x{chosen.strong.hidden}")
    made = pool.map(devices.spread, {STRONG: (pretrain_strong, chosen.strong, data, places(pool, STRONG))})
    depth = (chosen.ladder.layers, chosen.ladder.attention_heads)
    widest_first = sorted(rungs, key=lambda rung: -rung.size)
    made |= pool.map(
        pretrain_rung,
        {rung.item: (rung, *depth, chosen.pretraining, data, places(pool, rung.item)) for rung in widest_first},
    )
    items: dict[str, Any] = {}
    for item, arrays in made.items():
        items[item] = {name: arrays[name] for name in settings.data.datasets}
        items[f"losses-{item}"] = {"losses": arrays["losses"]}
        items[f"weights-{item}"] = {
            name.removeprefix(PREFIX): array for name, array in arrays.items() if name.startswith(PREFIX)
        }
    return {**items, "rungs": table([*rungs, named])}


def places(pool: Pool, item: str) -> tuple[Path, Path]:
    """Folder in which a training keeps its state until the stage is done, and file of its throughput."""
    return pool.checkpoint(item).with_suffix(""), throughput.place(STUDY, item).resolve()


def pretrain_strong(settings: StrongModel, data: Mapping[str, Any], kept: tuple[Path, Path]) -> Arrays:
    """Weights, losses and features of the strong model."""
    words, descriptors = len(data["vocabulary"]), data["corpus"]["descriptors"].shape[1]
    shape = smiles.Shape(settings.hidden, settings.layers, settings.attention_heads, settings.inner, words, descriptors)
    model = smiles.initialised(shape, settings.seed)
    made = pretrained(STRONG, model, shape, recipe(settings.pretraining), settings.seed, data, kept)
    return {**made, f"{PREFIX}shape": np.array(shape)}


def pretrain_rung(
    rung: Rung,
    layers: int,
    attention_heads: int,
    settings: Pretraining,
    data: Mapping[str, Any],
    kept: tuple[Path, Path],
) -> Arrays:
    """Weights, losses and features of a rung of the weak ladder, in the form in which teachers are finetuned."""
    size = size_of(rung, layers, attention_heads, data)
    first = transformer.initialised(size, rung.seed)
    inner = first.bert.config.intermediate_size
    shape = smiles.Shape(size.hidden, size.layers, size.attention_heads, inner, size.words, size.descriptors)
    model = smiles.initialised(shape, rung.seed)
    model.load_state_dict(first.state_dict())
    own = recipe(settings)._replace(learning_rate=settings.learning_rate / np.sqrt(rung.size))
    made = pretrained(rung.item, model, shape, own, rung.seed, data, kept)
    return {**made, f"{PREFIX}size": np.array(size)}


def pretrained(
    item: str,
    model: smiles.Bert,
    shape: smiles.Shape,
    own: smiles.Pretraining,
    seed: int,
    data: Mapping[str, Any],
    kept: tuple[Path, Path],
) -> Arrays:
    """Train a model on the corpus and read the downstream sets with it; ``kept``: places of state and throughput."""
    corpus = data["corpus"]
    try:
        losses = smiles.pretrain(model, shape, sequences(corpus), corpus["descriptors"], own, seed, *kept)
    except FloatingPointError as error:
        block = "strong.pretraining" if item == STRONG else "pretraining"
        remedy = f"lower represent.{block}.learning_rate in {{where}}"
        raise InputError(f"{{experiment}}, {item}: {error}; {remedy}") from None
    features = {str(name): smiles.represent(model, sequences(data[name])) for name in datasets(data)}
    stored = {f"{PREFIX}{name}": array for name, array in smiles.weights(model).items()}
    return {**features, **stored, "losses": losses}


def recipe(settings: Pretraining) -> smiles.Pretraining:
    """The settings as the values that the loop takes."""
    return smiles.Pretraining(**settings.model_dump())


def datasets(data: Mapping[str, Any]) -> list[str]:
    """Names of the downstream sets."""
    return list(dict.fromkeys(data["molecules"]["dataset"]))
