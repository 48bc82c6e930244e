"""Settings of finetuning along training; sources of each number in DEVIATIONS.md."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.core.config import Block, Count, NonNegative, Positive, Seed, Seeds, Word
from pipeline.experiments.preferences.settings import Evaluate, Hub, Model, TextSet, View
from pipeline.language import losses

TFIDF = "tfidf"
CONTROLS = ("random", "shuffled", "teachers_labels", "itself")
Epochs = Annotated[tuple[Positive, ...], Field(min_length=1)]


class Pooled(TextSet):
    """A text set in one pool.

    Texts with one prompt before the separator belong together, or those that share so many words in a row: no such
    family is in two parts.
    """

    separator: Word | None = "\n"
    shared_words: Count | None = None

    @model_validator(mode="after")
    def _is_a_pool_of_texts(self) -> "Pooled":
        named = self.source.splits if isinstance(self.source, Hub) else self.source
        if self.task != "classification" or set(named) != {"pool"}:
            raise ValueError("give the task classification and a source with the one part pool")
        return self


class Texts(Pooled):
    """Rows of the teacher (truth), of the student (weak) and of the fixed test and validation."""

    validation: Count


class Data(Block):
    """Text sets; ``seed`` draws test and validation, each of ``seeds`` the teacher's and the student's rows."""

    seed: Seed
    seeds: Seeds
    datasets: Annotated[dict[str, Texts], Field(min_length=1)]


class Represent(Block):
    """Models, and the frozen views of them on which teachers stand."""

    models: Annotated[dict[str, Model], Field(min_length=1)]
    views: dict[str, View]
    precision: Literal["bfloat16", "float32"]
    max_tokens: Count

    @model_validator(mode="after")
    def _views_are_of_models(self) -> "Represent":
        for name, view in self.views.items():
            if view.model not in self.models:
                raise ValueError(f"view '{name}' needs the model '{view.model}', which is not in the table of models")
        return self


class Teacher(Block):
    """Logistic regression on word counts (tfidf) or on a view, from so many labels; ``c`` is scikit-learn's C."""

    features: Word
    labels: Count
    c: Positive


class Controls(Block):
    """Which controls are trained, and with which seeds."""

    kinds: tuple[Literal["random", "shuffled", "teachers_labels", "itself"], ...]
    seeds: tuple[Seed, ...]


class Weak(Block):
    """Teachers by name, the first of which lends its labels to the shuffled control; and controls."""

    teachers: Annotated[dict[str, Teacher], Field(min_length=1)]
    controls: Controls


class Labels(Block):
    """What students learn: the teacher's probabilities, or its answers."""

    kinds: Annotated[tuple[Literal["soft", "hard"], ...], Field(min_length=1)]


class Strong(Block):
    """The network finetuned whole, AdamW at a constant rate, and the (parts of) epochs after which it is measured."""

    model: Word
    pooling: Literal["last", "mean"]
    loss: Word
    epochs: Epochs
    batch_size: Count
    micro_batch: Count
    learning_rate: Positive
    weight_decay: NonNegative
    precision: Literal["bfloat16", "float32"]

    @model_validator(mode="after")
    def _can_be_run(self) -> "Strong":
        losses.by_name(self.loss)
        if self.loss in losses.OF_THE_BATCH:
            raise ValueError(f"the loss '{self.loss}' needs whole batches, which are cut here; choose another")
        if list(self.epochs) != sorted(set(self.epochs)) or self.epochs[-1] != int(self.epochs[-1]):
            raise ValueError(f"epochs is {list(self.epochs)}; let them rise and end with a whole number")
        return self


class Settings(Block):
    """All of a study of finetuning along training."""

    data: Data
    represent: Represent
    weak: Weak
    labels: Labels
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _names_are_known(self) -> "Settings":
        for name, teacher in self.weak.teachers.items():
            if teacher.features not in (TFIDF, *self.represent.views):
                known = ", ".join((TFIDF, *self.represent.views))
                raise ValueError(f"weak.teachers.{name}.features is '{teacher.features}'; choose from {known}")
            for dataset, chosen in self.data.datasets.items():
                if teacher.labels > chosen.sizes["truth"]:
                    rows = chosen.sizes["truth"]
                    raise ValueError(f"weak.teachers.{name}.labels is {teacher.labels}; {dataset} has {rows} for truth")
            if name in CONTROLS:
                raise ValueError(f"a teacher is named '{name}', as a control is; rename it")
        if self.strong.model not in self.represent.models:
            raise ValueError(f"strong.model is '{self.strong.model}', which is not in represent.models")
        for seed in self.weak.controls.seeds:
            if seed not in self.data.seeds:
                raise ValueError(f"weak.controls.seeds holds {seed}, which is not in data.seeds; add it there")
        return self
