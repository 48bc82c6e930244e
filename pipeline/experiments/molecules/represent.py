"""Features of every molecule: the pretrained weak ladder, the Morgan control, and the frozen strong representation.

Items: `strong` and one per rung (`smiles-8-seed-0`, `morgan-8-seed-0`), each with features (n, width) by data set;
`weights-<rung>` and `losses-<rung>` of the pretrained ones; `rungs`, the table of all, the strong one last.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core import artifacts, kept, streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common.pretrained import sequences, shape
from pipeline.experiments.molecules.common.rungs import STRONG, Rung, table, weak_rungs
from pipeline.experiments.molecules.settings import Represent, Settings
from pipeline.models.molecules import hub, minimol, morgan, pretraining, transformer

HOME = artifacts.ARTIFACTS / "features"
CHUNK = 500  # molecules a worker reads with MiniMol at a time

Unit = tuple[Any, ...]


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Features of the strong representation and of every rung."""
    data, represent = upstream["data"], settings.represent
    rungs = weak_rungs(represent.ladder, represent.seeds)
    molecules = data["molecules"]
    units = {
        **_pretraining(rungs, represent, data),
        **_strong(represent, molecules),
        **_control(rungs, represent.ladder.morgan_radius, molecules),
    }
    made = pool.map(apply, units)
    items = {rung.item: _features(rung.item, made, molecules) for rung in rungs}
    strongest = max((rung for rung in rungs if rung.ladder == "smiles"), key=lambda rung: rung.size)
    if represent.strong == "pretrained":
        name, features = f"pretrained-{strongest.size}", items[strongest.item]
    else:
        name, features = _name(represent), _read(made, molecules)
    named = Rung(STRONG, 0, represent.seeds[0], name)
    return {**items, **_kept(rungs, made), STRONG: features, "rungs": table([*rungs, named])}


def apply(function: Callable[..., Arrays], *arguments: Any) -> Arrays:
    """Run one unit, so that units of several kinds share the cores."""
    return function(*arguments)


def pretrain(rung: Rung, layers: int, attention_heads: int, data: Mapping[str, Any], settings: Represent) -> Arrays:
    """Pretrain one rung on the corpus and read every downstream molecule with it."""
    corpus, size = data["corpus"], shape(rung, layers, attention_heads, data)
    model = transformer.initialised(size, rung.seed)
    recipe = pretraining.Recipe(
        settings.epochs,
        settings.batch_size,
        settings.learning_rate / np.sqrt(rung.size),
        settings.weight_decay,
        settings.warmup,
        settings.masked,
    )
    stream = streams.generator(rung.seed, f"molecules/pretraining-{rung.name}")
    try:
        losses = pretraining.pretrain(model, sequences(corpus), corpus["descriptors"], recipe, stream)
    except FloatingPointError as error:
        remedy = "lower represent.learning_rate in {where}"
        raise InputError(f"{{experiment}}, {rung.name}, seed {rung.seed}: {error}; {remedy}") from None
    features = {name: transformer.represent(model, sequences(data[name])) for name in _datasets(data["molecules"])}
    stored = {f"weights.{name}": array for name, array in transformer.weights(model).items()}
    return {**features, **stored, "weights.size": np.array(size), "losses": losses}


def read_minimol(texts: list[str], path: Path, home: Path) -> Arrays:
    """MiniMol's features of some molecules."""
    return {"features": minimol.read(texts, path, home)}


def read_hub(texts: list[str], model: str, revision: str, home: Path) -> Arrays:
    """Features of some molecules by a model of the hub."""
    recipe = [hub.__file__, model, revision, *texts]
    return kept.once(home, recipe, lambda: {"features": hub.represent(texts, model, revision)})


def read_morgan(texts: list[str], bits: int, radius: int) -> Arrays:
    """Morgan counts of some molecules."""
    return {"features": morgan.represent(texts, bits, radius)}


def _pretraining(rungs: list[Rung], settings: Represent, data: Mapping[str, Any]) -> dict[str, Unit]:
    # The long ones first, so that no core idles at the end.
    depth = (settings.ladder.layers, settings.ladder.attention_heads)
    chosen = sorted((rung for rung in rungs if rung.ladder == "smiles"), key=lambda rung: -rung.size)
    return {rung.item: (pretrain, rung, *depth, data, settings) for rung in chosen}


def _strong(settings: Represent, molecules: pd.DataFrame) -> dict[str, Unit]:
    texts = _distinct(molecules)
    if settings.strong == "minimol":
        path = minimol.model_file()
        return {
            f"strong-{first}": (read_minimol, texts[first : first + CHUNK], path, HOME.resolve())
            for first in range(0, len(texts), CHUNK)
        }
    if settings.strong == "hub":
        return {"strong-0": (read_hub, texts, settings.hub.model, settings.hub.revision, HOME.resolve())}
    return {}


def _control(rungs: list[Rung], radius: int, molecules: pd.DataFrame) -> dict[str, Unit]:
    texts = _distinct(molecules)
    return {rung.item: (read_morgan, texts, rung.size, radius) for rung in rungs if rung.ladder == "morgan"}


def _features(item: str, made: Mapping[str, Arrays], molecules: pd.DataFrame) -> Arrays:
    if "features" in made[item]:
        return _spread(made[item]["features"], molecules)
    return {name: made[item][name] for name in _datasets(molecules)}


def _read(made: Mapping[str, Arrays], molecules: pd.DataFrame) -> Arrays:
    pieces = [arrays["features"] for name, arrays in made.items() if name.startswith("strong-")]
    return _spread(np.concatenate(pieces), molecules)


def _spread(features: np.ndarray, molecules: pd.DataFrame) -> Arrays:
    """Features of distinct molecules -> features of each data set's rows."""
    place = {text: row for row, text in enumerate(_distinct(molecules))}
    return {
        str(name): features[[place[text] for text in group["smiles"]]]
        for name, group in molecules.groupby("dataset", sort=False)
    }


def _kept(rungs: list[Rung], made: Mapping[str, Arrays]) -> dict[str, Arrays]:
    kept: dict[str, Arrays] = {}
    for rung in rungs:
        if rung.ladder == "smiles":
            arrays = made[rung.item]
            kept[f"weights-{rung.item}"] = {
                name.removeprefix("weights."): array for name, array in arrays.items() if name.startswith("weights.")
            }
            kept[f"losses-{rung.item}"] = {"losses": arrays["losses"]}
    return kept


def _distinct(molecules: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(molecules["smiles"]))


def _datasets(molecules: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(molecules["dataset"]))


def _name(settings: Represent) -> str:
    return settings.hub.model if settings.strong == "hub" else settings.strong
