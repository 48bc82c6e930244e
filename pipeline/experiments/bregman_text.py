"""Gain and misfit in KL on frozen features of texts: the students of `bregman`, mixtures of k softmax heads.

The teacher sees some random ReLU features of the student's view, which no linear function of that view is.  The truths
are a set's labels, one-hot, which no softmax head reaches.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from pipeline.core import artifacts, streams
from pipeline.core.artifacts import Arrays
from pipeline.core.config import Block, Count, DottedName, Name, Seed
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.bregman.evaluate import columns
from pipeline.experiments.bregman.labels import FLOOR
from pipeline.experiments.bregman.settings import Counts, Evaluate, Training
from pipeline.experiments.finetuning.data import families_of
from pipeline.experiments.finetuning.settings import Pooled
from pipeline.experiments.preferences.common import models, sources, texts
from pipeline.experiments.preferences.settings import Model, View, known
from pipeline.language import cache
from pipeline.measures.classification import agreement
from pipeline.models.softmax import combined
from pipeline.summary.metrics import ends, nested
from pipeline.summary.statistics import mean_gain, mean_misfit
from pipeline.theory import intervals
from pipeline.theory.bregman import GENERATORS
from pipeline.theory.divergence import floored

Array = np.ndarray
HOME = artifacts.ARTIFACTS / "features"
PARTS = {"teacher": "truth", "student": "weak", "test": "test"}  # and how a text set calls them
TOLD = ("teacher", "shuffled")  # whose answers a student learns; those of `shuffled` belong to other texts
INPUTS = {"fresh": "test", "reused": "student"}  # rows on which a student is measured
KEYS = ("loss", "heads", "direction")
TOLERANCE = (1e-4, 1e-2, "heads trained by torch in float32, features read in bfloat16")
# Each split draws all parts anew from the same texts: 1,000 of test over 3,000 others.
OVERLAP = {"split": 0.334}


class Data(Block):
    """Text sets; ``seed`` draws the texts that are used, one of each family, and each split parts them anew."""

    seed: Seed
    splits: Count
    datasets: Annotated[dict[Name, Pooled], Field(min_length=1)]


class Represent(Block):
    """Models; by text set what the student sees of it; how many random ReLU features of that the teacher sees."""

    models: Annotated[dict[DottedName, Model], Field(min_length=1)]
    views: Annotated[dict[Name, View], Field(min_length=1)]
    precision: Literal["bfloat16", "float32"]
    max_tokens: Count
    weak: Count

    @model_validator(mode="after")
    def _models_are_known(self) -> "Represent":
        for name, view in self.views.items():
            known(f"represent.views.{name}.model", view.model, "represent.models", self.models)
        return self


class Strong(Training):
    """How many heads a student mixes; by the other loss; under the control."""

    heads: Counts
    forward_heads: Counts
    control_heads: Counts


class Settings(Block):
    """The file studies/bregman_text.yaml."""

    data: Data
    represent: Represent
    weak: Training
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _every_set_has_a_view(self) -> "Settings":
        if absent := set(self.data.datasets) - set(self.represent.views):
            raise ValueError(f"represent.views has none of {', '.join(sorted(absent))}; add it")
        return self

    def worlds(self) -> Iterator["World"]:
        """All worlds, set by set."""
        return (World(name, split) for name in self.data.datasets for split in range(self.data.splits))

    def students(self) -> Iterator["Student"]:
        """The students of a world."""
        yield from (Student("teacher", "reverse_kl", k) for k in self.strong.heads)
        yield from (Student("teacher", "forward_kl", k) for k in self.strong.forward_heads)
        yield from (Student("shuffled", "reverse_kl", k) for k in self.strong.control_heads)


class World(NamedTuple):
    """A split of a text set."""

    dataset: str
    split: int

    @property
    def name(self) -> str:
        """Its item in every bundle."""
        return f"{self.dataset}.{self.split}"


class Student(NamedTuple):
    """Whose labels it learns, by which loss, mixing how many heads."""

    told: str
    loss: str
    heads: int

    @property
    def name(self) -> str:
        """Its place in the item of its world."""
        return f"{self.told}.{self.loss}.{self.heads}"


def data(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """`<set>`: a table of the texts that are used; `<set>.<split>`: places in it and one-hot truths of each part."""
    items: dict[str, Any] = {name: used(name, chosen, settings.data) for name, chosen in settings.data.datasets.items()}
    for world in settings.worlds():
        sizes, table = settings.data.datasets[world.dataset].sizes, items[world.dataset]
        order = streams.generator(settings.data.seed, f"bregman_text/{world.name}").permutation(len(table))
        truth = np.eye(2)[(table["label"].to_numpy() > 0.5).astype(int)]
        places = np.split(order, np.cumsum([sizes[part] for part in PARTS.values()])[:-1])
        parts = dict(zip(PARTS, places, strict=True))
        items[world.name] = {f"rows.{part}": rows for part, rows in parts.items()}
        items[world.name] |= {f"truth.{part}": truth[rows] for part, rows in parts.items()}
    return items


def used(name: str, chosen: Pooled, own: Data) -> pd.DataFrame:
    """One text a family, as many as the parts need: no two rows are related."""
    table = texts.formatted(name, "pool", sources.tables(name, chosen)["pool"], chosen, own.seed)
    table = table.drop_duplicates("text", ignore_index=True)
    family = families_of(table, chosen)
    stream, needed = streams.generator(own.seed, f"bregman_text/{name}"), sum(chosen.sizes.values())
    order = stream.permutation(len(table))
    firsts = stream.permutation(order[np.unique(family[order], return_index=True)[1]])
    if len(firsts) < needed:
        raise InputError(
            f"text set '{name}': {len(firsts)} families of texts are fewer than the {needed} rows of its parts; lower "
            f"data.datasets.{name}.sizes in {{where}}"
        )
    return table[["text", "label"]].iloc[firsts[:needed]].reset_index(drop=True)


def represent(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """`<set>.<split>`: `weak.<part>` and `strong.<part>`, (n, h) float32; a unit is one set read by its model."""
    own, units = settings.represent, {}
    for dataset in settings.data.datasets:
        view = own.views[dataset]
        place, read_outs = models.place(own.models[view.model]), models.read_outs(view.model, {dataset: view})
        order = cache.Order(
            place.identity, own.precision, read_outs, own.max_tokens, tuple(upstream["data"][dataset]["text"])
        )
        units[dataset] = (view.model, place, order, HOME.resolve())
    found = pool.map(models.features, units)
    return {
        world.name: views(world, own, upstream["data"][world.name], found[world.dataset]) for world in settings.worlds()
    }


def views(world: World, own: Represent, drawn: Arrays, found: Arrays) -> Arrays:
    """The student's features and ReLU of random directions of them, of mean 0 and deviation 1 on the teacher's rows."""
    view, shown = own.views[world.dataset], drawn["rows.teacher"]
    stream = streams.generator(world.split, f"bregman_text/{world.dataset}/directions")
    strong = _scaled(found[f"{view.layer}.{view.pooling}"].astype(np.float64), shown)
    few = np.maximum(strong @ stream.normal(size=(strong.shape[1], own.weak)), 0)
    seen = {"weak": _scaled(few, shown), "strong": strong}
    return {
        f"{role}.{part}": features[drawn[f"rows.{part}"]].astype(np.float32)
        for role, features in seen.items()
        for part in PARTS
    }


def _scaled(features: Array, rows: Array) -> Array:
    return np.asarray((features - features[rows].mean(axis=0)) / (features[rows].std(axis=0) + 1e-6))


def weak(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """`<set>.<split>`: `teacher.<part>` and `shuffled.<part>`, probabilities (n, 2) for the student's and test rows."""
    bundles = (settings.weak, upstream["data"], upstream["represent"])
    return pool.map(teach, {world.name: (world, *bundles) for world in settings.worlds()})


def teach(world: World, training: Training, data: Mapping[str, Arrays], represent: Mapping[str, Arrays]) -> Arrays:
    """One softmax head on true labels, and its answers given to other texts."""
    shown, stream = represent[world.name], streams.generator(world.split, f"bregman_text/{world.dataset}/teacher")
    told = data[world.name]["truth.teacher"]
    fitted = combined.fit(shown["weak.teacher"], told, stream, heads=1, loss="forward_kl", **training.model_dump())
    answers = {part: floored(combined.predict(shown[f"weak.{part}"], fitted), FLOOR) for part in INPUTS.values()}
    found = {f"teacher.{part}": given for part, given in answers.items()}
    return found | {f"shuffled.{part}": stream.permutation(given) for part, given in answers.items()}


def labels(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """`<set>.<split>`: what students are told, by `teacher` and `shuffled`, (n, 2)."""
    return {
        world.name: {told: upstream["weak"][world.name][f"{told}.student"] for told in TOLD}
        for world in settings.worlds()
    }


def strong(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """`<set>.<split>.<student>` and `.ceiling`: probabilities (n, 2) for each of INPUTS; a unit is one student."""
    bundles = (settings, *(upstream[verb] for verb in ("data", "represent", "labels")))
    ceiling = Student("truth", "forward_kl", 1)
    units = {
        f"{world.name}.{name}": (world, student, *bundles)
        for world in settings.worlds()
        for name, student in (("ceiling", ceiling), *((one.name, one) for one in settings.students()))
    }
    return pool.map(learn, units)


def learn(
    world: World,
    student: Student,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
) -> Arrays:
    """One student of k heads."""
    shown, known = represent[world.name], {**labels[world.name], "truth": data[world.name]["truth.student"]}
    stream = streams.generator(world.split, f"bregman_text/{world.dataset}/student/{student.heads}")
    training = {name: getattr(settings.strong, name) for name in Training.model_fields}
    options = {"heads": student.heads, "loss": student.loss, **training}
    fitted = combined.fit(shown["strong.student"], known[student.told], stream, **options)
    return {
        name: floored(combined.predict(shown[f"strong.{part}"], fitted), FLOOR).astype(np.float32)
        for name, part in INPUTS.items()
    }


def evaluate(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells of all students, and mean gain and misfit over splits."""
    cells = pd.DataFrame([row for world in settings.worlds() for row in measure(world, settings, upstream)])

    def summary(members: list[pd.DataFrame]) -> dict[str, Any]:
        options = (settings.evaluate.confidence, OVERLAP["split"])
        return {
            name: ends(intervals.over_units([statistic(member) for member in members], *options))
            for name, statistic in (("mean_gain", mean_gain), ("mean_misfit", mean_misfit))
        }

    groups = ("dataset", "control", "inputs", "loss", "heads")
    return {"cells": cells, "metrics": nested(cells.replace({"control": {"": "none"}}), "split", groups, summary)}


def measure(world: World, settings: Settings, upstream: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Cells of one world: every student on fresh texts and on those that it learned from, whose truth it never saw."""
    truths, taught = (upstream[verb][world.name] for verb in ("data", "weak"))
    for inputs, part in INPUTS.items():
        truth, ceiling = truths[f"truth.{part}"], _answers(upstream, f"{world.name}.ceiling", inputs)
        for one in settings.students():
            student = _answers(upstream, f"{world.name}.{one.name}", inputs)
            roles = {"weak": taught[f"{one.told}.{part}"], "student": student, "ceiling": ceiling}
            yield {
                **columns(GENERATORS["kl"], truth, *roles.values()),
                **{f"{role}_accuracy": float(agreement(truth, model)) for role, model in roles.items()},
                "panel": "text",
                "dataset": world.dataset,
                "split": f"{world.split}",
                "seed": world.split,
                "task": 0,
                "weak": f"{settings.represent.weak} ReLU features",
                "strong": settings.represent.views[world.dataset].model,
                "head": "softmax",
                "inputs": inputs,
                "control": "" if one.told == "teacher" else one.told,
                "direction": "reverse",
                "loss": one.loss,
                "heads": one.heads,
                "n_train": len(truths["truth.student"]),
                "n_eval": len(truth),
            }


def _answers(upstream: Mapping[str, Any], name: str, inputs: str) -> Array:
    """In float64 they sum to 1 again."""
    kept = upstream["strong"][name][inputs].astype(np.float64)
    return np.asarray(kept / kept.sum(axis=1, keepdims=True))
