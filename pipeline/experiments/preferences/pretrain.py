"""Pretrain the study's own language models on text corpora, all with one tokenizer.

Folders: `<model>` with config, tokenizer and safetensors as on the hub, and `pretraining.json`: recipe (a hash),
parameters, tokens, loss along training and on held-out documents of each corpus, in nats a token.
"""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.core import artifacts, files
from pipeline.core.errors import InputError
from pipeline.experiments.preferences.common import at_hand, models
from pipeline.experiments.preferences.common.pretraining import Pretrain
from pipeline.experiments.preferences.settings import Settings
from pipeline.scale import language, pretraining, throughput
from pipeline.scale.language import Shape


def run(settings: Settings, home: Path, partial: Path) -> None:
    """Every model of the table, the smallest first; one made by the same recipe and code stays as it is.

    Where a corpus is at hand nowhere, none: the rungs that stand on them are then left out, see at_hand.py.
    """
    block = settings.pretrain
    if block is None or not block.models:
        home.mkdir(parents=True, exist_ok=True)
        _drop(home, keep=set())
        return
    (home / at_hand.NOTE).unlink(missing_ok=True)
    wanted = {name: recipe_of(block, name) for name in block.models}
    _drop(home, keep=set(wanted))
    todo = [name for name, one in wanted.items() if not _is_made(home / name, one)]
    if not todo:
        return
    if absent := [corpus.path for corpus in block.corpora.values() if not files.at_hand(corpus)]:
        told = (
            f"{', '.join(todo)}: left out, for the corpora {', '.join(absent)} are neither in data/ nor in W2S_MIRROR"
        )
        print(told, file=sys.stderr)
        artifacts.write_json(home / at_hand.NOTE, todo)
        return
    shared = pretraining.identity(_shared(block))[:16]
    _drop(partial, keep={shared})
    paths = {name: files.found(f"corpus '{name}'", corpus) for name, corpus in block.corpora.items()}
    found = pretraining.material(ladder(block), paths, partial / shared)
    for name in sorted(todo, key=lambda name: block.models[name].hidden * block.models[name].layers):
        make(name, block, found, home / name, partial / shared, wanted[name])
    shutil.rmtree(partial)


def make(name: str, block: Pretrain, found: pretraining.Material, target: Path, partial: Path, recipe: str) -> None:
    """Train one model and put its folder in place, whole or not at all."""
    chosen, study = block.models[name], target.parent.name
    shape = Shape(chosen.layers, chosen.hidden, chosen.heads, chosen.intermediate)
    state, rates = partial / f"{name}-{recipe[:16]}", throughput.place(study, f"pretrain-{name}")
    try:
        model, record = pretraining.pretrain(shape, chosen.learning_rate, ladder(block), found, state, rates)
    except FloatingPointError as error:
        raise InputError(
            f"{{experiment}}, {name}: {error}; lower pretrain.models.{name}.learning_rate in {{where}}"
        ) from None
    scratch = target.parent / f".{name}-new"
    shutil.rmtree(scratch, ignore_errors=True)
    language.save(model, found.tokenizer, scratch)
    for path in scratch.iterdir():
        path.chmod(0o644)
    artifacts.write_json(scratch / models.RECORD, {"recipe": recipe, **record})
    shutil.rmtree(target, ignore_errors=True)
    scratch.rename(target)


def recipe_of(block: Pretrain, name: str) -> str:
    """Hash of all that decides a model's weights: the shared settings, its own, and the code."""
    return pretraining.identity(_shared(block) | {"model": block.models[name].model_dump(mode="json")})


def ladder(block: Pretrain) -> pretraining.Ladder:
    """The shared settings as values."""
    shares = {name: corpus.share for name, corpus in block.corpora.items()}
    names = [name for name in pretraining.Ladder._fields if name != "shares"]
    return pretraining.Ladder(shares, **{name: getattr(block, name) for name in names})


def _shared(block: Pretrain) -> Mapping[str, Any]:
    return block.model_dump(mode="json", exclude={"models"})


def _is_made(folder: Path, wanted: str) -> bool:
    return (folder / models.RECORD).exists() and artifacts.read_item(folder / models.RECORD)["recipe"] == wanted


def _drop(folder: Path, keep: set[str]) -> None:
    for path in folder.glob("*"):
        if path.name not in keep:
            shutil.rmtree(path, ignore_errors=True)
