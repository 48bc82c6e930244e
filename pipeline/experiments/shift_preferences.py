"""Pools of reward heads taught helpfulness; students on helpful and on harmless pairs: experiments/shift on language.

Data and features are those of `preferences`, the students those of `shift`.  A teacher sees a layer of its own and its
own slice of the helpful pairs; the student several layers side by side.  Features are differences of a pair, so no view
has a column of ones: swapping the slots swaps the sign.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import AfterValidator, Field, model_validator

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.config import Name, Names, Seeds, Word
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences import data as texts
from pipeline.experiments.preferences import represent as features
from pipeline.experiments.preferences.common import designs
from pipeline.experiments.preferences.settings import Data as TextSets
from pipeline.experiments.preferences.settings import Represent as Ladder
from pipeline.experiments.preferences.settings import known
from pipeline.experiments.shift import evaluate as measured
from pipeline.experiments.shift.data import PARTS
from pipeline.experiments.shift.settings import Shared, World, a_pool

Array = np.ndarray
PANEL = "preferences"
KEYS = ("domain", "method", "varied", "rate", "easy", "epoch")
TOLERANCE = (1e-3, 2e-2, "features in bfloat16, heads trained by torch in float32")
# Each split draws all parts anew from the same pairs: 1,500 of test over 3,000 others.
OVERLAP = {"split": 0.5}


class Data(TextSets):
    """Sets of pairs: on which the teachers learned, and on which the student is."""

    splits: Seeds
    source: Name
    domains: Annotated[dict[Name, Literal["in", "out"]], Field(min_length=1)]

    @model_validator(mode="after")
    def _are_pairs(self) -> "Data":
        for key, name in (("source", self.source), *((f"domains.{name}", name) for name in self.domains)):
            known(f"data.{key}", name, "data.datasets", self.datasets)
            if self.datasets[name].task != "preference":
                raise ValueError(f"data.{key} is '{name}', no set of preferences; name one of pairs")
        return self


class Represent(Ladder):
    """The layer of each teacher, that of the middle model of a chain, and those of the student."""

    teachers: Annotated[Names, AfterValidator(a_pool)]
    middle: Word
    student: Names


class Settings(Shared):
    """The file studies/shift_preferences.yaml."""

    data: Data
    represent: Represent

    @model_validator(mode="after")
    def _names_and_sizes_are_known(self) -> "Settings":
        rows, teachers = self.data.datasets[self.data.source].sizes["truth"], len(self.represent.teachers)
        if rows < teachers:
            raise ValueError(
                f"data.datasets.{self.data.source}.sizes.truth is {rows}; give each of the {teachers} teachers a pair"
            )
        named = (*self.represent.teachers, self.represent.middle, *self.represent.student)
        for rung in named:
            known("represent.teachers, middle or student", rung, "represent.ladder", self.represent.ladder)
        return self

    def worlds(self) -> Iterator[World]:
        """A world a domain and split."""
        for name, shift in self.data.domains.items():
            yield from (World(PANEL, name, shift, split) for split in self.data.splits)

    def teachers(self, world: World) -> tuple[str, ...]:
        """Rungs of the teachers."""
        return self.represent.teachers


def data(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Tables of the sets, and of each world the rows and classes of its parts."""
    items = dict(texts.run(settings, upstream, pool))  # type: ignore[arg-type]
    return items | {world.name: divided(world, settings.data, items) for world in settings.worlds()}


def divided(world: World, sets: Data, tables: Mapping[str, pd.DataFrame]) -> Arrays:
    """Rows `rows.<part>` and classes `y.<part>` (1: slot A is preferred) of one world.

    Source: a part of the teachers' set; student and test: of the domain's, never the pairs that taught the teachers.
    """
    drawn = {"source": parted(sets.source, world.seed, sets, tables)[0]}
    drawn["student"], drawn["test"] = parted(world.domain, world.seed, sets, tables)[1:]
    found = {}
    for part, rows in drawn.items():
        table = tables[sets.source if part == "source" else world.domain]
        found |= {f"rows.{part}": rows, f"y.{part}": (designs.labels(table)[rows] > 0.5).astype(np.int64)}
    return found


def parted(name: str, split: int, sets: Data, tables: Mapping[str, pd.DataFrame]) -> list[Array]:
    """Rows of a set cut by its sizes of truth, weak and test; no prompt stands in two of the three."""
    prompts = tables[name]["prompt"].to_numpy()
    places = streams.generator(split, f"shift/preferences/{name}").permutation(prompts.max() + 1)[prompts]
    order, sizes = np.argsort(places, kind="stable"), sets.datasets[name].sizes
    ends = np.cumsum([sizes["truth"], sizes["weak"]])
    parts = [np.sort(rows) for rows in np.split(order, ends)]
    for place in (1, 2):  # a prompt that a cut went through stays with the earlier part
        before = prompts[np.concatenate(parts[:place])]
        parts[place] = parts[place][~np.isin(prompts[parts[place]], before)]
    return parts


def represent(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Views of every world, from features that are read once and kept by hash."""
    read = features.run(settings, upstream, pool)  # type: ignore[arg-type]
    return {world.name: views(world, settings, upstream["data"][world.name], read) for world in settings.worlds()} | {
        "report": read["report"]
    }


def views(world: World, settings: Settings, rows: Arrays, read: Mapping[str, Arrays]) -> Arrays:
    """Differences of features, each column at a mean square of 1 on the rows that train on it."""
    own = settings.represent
    layers = {"weak": own.teachers, "middle": (own.middle,), "strong": own.student}
    found: Arrays = {}
    for view, rungs in layers.items():
        made = {
            part: side_by_side(settings.data.source if part == "source" else world.domain, rungs, read)[
                rows[f"rows.{part}"]
            ]
            for part in PARTS
            if view == "weak" or part != "source"
        }
        scale = np.sqrt(np.mean(np.square(made["source" if view == "weak" else "student"]), axis=0))
        found |= {
            f"{view}.{part}": (one / np.where(scale > 0, scale, 1)).astype(np.float32) for part, one in made.items()
        }
    widths = [read[f"{world.domain}.{rung}"]["weak"].shape[1] for rung in own.teachers]
    owner = np.repeat(np.arange(len(widths)), widths)
    slices = np.arange(len(rows["rows.source"])) % len(widths)
    teachers = np.arange(len(widths))[:, None]
    return found | {"columns": owner == teachers, "slice": slices == teachers}


def side_by_side(dataset: str, rungs: tuple[str, ...], read: Mapping[str, Arrays]) -> Array:
    """Features of all rows of a set on some rungs, (n, d)."""
    each = [np.concatenate([read[f"{dataset}.{rung}"][part] for part in designs.Parts._fields]) for rung in rungs]
    return np.concatenate(each, axis=1)


def evaluate(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells as of `shift`."""
    return measured.run(settings, upstream, pool)
