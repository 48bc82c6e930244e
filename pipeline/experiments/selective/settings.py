"""Settings of selective weak-to-strong generalization; sources of each number in DEVIATIONS.md."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.core.config import Block, Count, Fraction, Name, Positive, Seed, Seeds, Word
from pipeline.experiments.finetuning.settings import TFIDF, Teacher, Texts
from pipeline.experiments.preferences.settings import Evaluate, Fit, Model, View, known

PARTS = ("truth", "weak", "validation", "test")
Share = Annotated[float, Field(ge=0, le=1)]


class Asked(Texts):
    """A text set and how the strong network is asked: a prompt that ends before the answer, and the two answers.

    ``answers``: one token each, for the labels 0 and 1.  ``shots``: answered examples before the question in the
    prompt `few`, rows of no part.
    """

    question: Word
    answers: tuple[Word, Word]
    shots: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _asks_about_the_text(self) -> "Asked":
        if self.question.count("{text}") != 1:
            raise ValueError(f"question is {self.question!r}; let it hold {{text}} once, where the text is to stand")
        if self.shots % 2:
            raise ValueError(f"shots is {self.shots}; take an even number, half of each answer")
        return self


class Case(Block):
    """Clusters on which a teacher is wrong throughout, and clusters that the strong model knows (shares)."""

    clusters: Count
    dimension: Count
    spread: Positive  # deviation within a cluster; centres are N(0, I)
    wrong: Share
    noise: Annotated[float, Field(ge=0, lt=0.5)]  # labels of the teacher turned at random
    knows: Share
    right: Share  # accuracy of the strong model where it knows; elsewhere it guesses
    sizes: dict[Literal["truth", "weak", "validation", "test"], Count]

    @model_validator(mode="after")
    def _has_all_parts(self) -> "Case":
        if set(self.sizes) != set(PARTS):
            raise ValueError(f"sizes give the rows of {', '.join(PARTS)}")
        return self


class Data(Block):
    """Text sets, whose rows ``seed`` draws and each of ``splits`` divides; clusters drawn anew by each of ``seeds``."""

    seed: Seed
    splits: Seeds
    datasets: dict[Name, Asked]
    seeds: Seeds
    cases: dict[Name, Case]

    @model_validator(mode="after")
    def _has_something(self) -> "Data":
        both = sorted({*self.datasets} & {*self.cases})
        if both:
            raise ValueError(f"'{both[0]}' names a text set and a case of clusters; rename one")
        if not self.datasets and not self.cases:
            raise ValueError("neither datasets nor cases hold an entry; give one at least")
        return self


class Represent(Block):
    """Models and their frozen views.  Those of the network of ``answer`` read the prompt, others the plain text.

    ``strong``: what students, P(IK) and the graph see.  ``answer``: the last layer at the last token, from which the
    log-probabilities of the answers follow.
    """

    models: Annotated[dict[Name, Model], Field(min_length=1)]
    views: Annotated[dict[Name, View], Field(min_length=1)]
    strong: Word
    answer: Word
    precision: Literal["bfloat16", "float32"]
    max_tokens: Count

    @model_validator(mode="after")
    def _names_are_known(self) -> "Represent":
        for name, view in self.views.items():
            known(f"represent.views.{name}.model", view.model, "represent.models", self.models)
        for key in ("strong", "answer"):
            known(f"represent.{key}", getattr(self, key), "represent.views", self.views)
        if self.views[self.answer].model != self.views[self.strong].model:
            raise ValueError("represent.strong and represent.answer are views of two models; take two of one")
        if self.views[self.answer].pooling != "last":
            raise ValueError(f"the view {self.answer} pools by the mean; an answer follows the last token: take last")
        return self


class Weak(Block):
    """Teachers of the text sets by name; the first is swept over thresholds and coverages."""

    teachers: Annotated[dict[Name, Teacher], Field(min_length=1)]


class Graph(Block):
    """The k nearest neighbours by cosine, in either direction, and how far labels spread among them."""

    neighbours: Count
    similarity: Annotated[float, Field(ge=-1, le=1)]  # least cosine of neighbours
    alpha: Fraction  # share of a label that comes from its neighbours


class Labels(Block):
    """Answers of the strong model, its P(IK), the thresholds tried, and the graph."""

    prompts: Annotated[tuple[Literal["zero", "few"], ...], Field(min_length=1)]
    fit: Fit  # of P(IK)
    taus: Annotated[tuple[Share, ...], Field(min_length=1)]
    coverages: tuple[Share, ...]
    graph: Graph


class Strong(Block):
    """Training of the students on text sets and on clusters."""

    fit: Fit
    clusters: Fit


class Settings(Block):
    """The file studies/selective.yaml."""

    data: Data
    represent: Represent
    weak: Weak
    labels: Labels
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _teachers_can_be_taught(self) -> "Settings":
        for name, teacher in self.weak.teachers.items():
            known(f"weak.teachers.{name}.features", teacher.features, "represent.views", (TFIDF, *self.represent.views))
            for dataset, chosen in self.data.datasets.items():
                rows = chosen.sizes["truth"]
                if teacher.labels > rows:
                    raise ValueError(f"weak.teachers.{name}.labels is {teacher.labels}; {dataset} has {rows} for truth")
        return self

    @model_validator(mode="after")
    def _every_point_can_have_neighbours(self) -> "Settings":
        rows_of = {name: chosen.sizes["weak"] for name, chosen in self.data.datasets.items()}
        rows_of |= {name: case.sizes["weak"] for name, case in self.data.cases.items()}
        for name, rows in rows_of.items():
            if self.labels.graph.neighbours >= rows:
                raise ValueError(
                    f"labels.graph.neighbours is {self.labels.graph.neighbours}; {name} has {rows} rows for weak: take "
                    "fewer than those"
                )
        return self

    @model_validator(mode="after")
    def _both_answers_are_shown(self) -> "Settings":
        for name, chosen in self.data.datasets.items():
            if "few" in self.labels.prompts and not chosen.shots and "zero" not in self.labels.prompts:
                raise ValueError(f"labels.prompts asks {name} by examples alone, of which it has none; raise its shots")
        return self
