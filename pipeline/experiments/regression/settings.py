"""Settings of regression on data of one's own."""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Discriminator, Field, Tag, model_validator

from pipeline.core.config import Block, Count, DottedName, Evaluate, Name, Names, Seeds, Word
from pipeline.core.files import File
from pipeline.experiments.preferences.settings import Model, View, known

Control = Literal["random", "shuffled", "constant", "itself", "teachers_labels"]


class Data(Block):
    """A table with a text or a molecule and a number in each row; each seed divides ``rows`` of it into three parts.

    The teacher's rows (truth), the student's (weak) and the test are a third each.  Rows of one ``group``, where a
    column plays that role, are in one part.
    """

    seed: Annotated[int, Field(ge=0)]  # draws the rows that are used
    seeds: Seeds
    name: Name
    source: File
    columns: dict[Literal["text", "smiles", "label", "group"], Word]
    rows: Annotated[int, Field(ge=60)]

    @model_validator(mode="after")
    def _roles_are_filled(self) -> Self:
        if "label" not in self.columns or ("text" in self.columns) == ("smiles" in self.columns):
            raise ValueError(f"columns name {', '.join(self.columns)}; name label and one of text and smiles")
        if len(set(self.columns.values())) < len(self.columns):
            raise ValueError("columns name one column for two roles; name each once")
        return self

    @property
    def role(self) -> str:
        """What is read: `text` or `smiles`."""
        return "text" if "text" in self.columns else "smiles"


class Words(Block):
    """Tf-idf of so many of the most frequent words; no label enters."""

    words: Count


class Hashed(Block):
    """All words, hashed into so many signed counts of unit length."""

    hashed: Count


class Surface(Block):
    """Statistics of the surface of a text: logarithms of counts, and mean lengths."""

    surface: tuple[Literal["characters", "words", "distinct", "sentences", "commas", "word_length"], ...]


class Joined(Block):
    """Other rungs side by side, each of the same total variance."""

    joined: Names


class Morgan(Block):
    """Hashed Morgan counts of molecules."""

    morgan: Count
    radius: Annotated[int, Field(ge=0)]


class Molecules(Block):
    """A pretrained network for molecules."""

    network: Literal["minimol"]


def _kind(entry: Any) -> str:
    keys = entry if isinstance(entry, dict) else type(entry).model_fields
    return next((key for key in ("words", "hashed", "surface", "joined", "morgan", "network") if key in keys), "model")


Rung = Annotated[
    Annotated[Words, Tag("words")]
    | Annotated[Hashed, Tag("hashed")]
    | Annotated[Surface, Tag("surface")]
    | Annotated[Joined, Tag("joined")]
    | Annotated[Morgan, Tag("morgan")]
    | Annotated[Molecules, Tag("network")]
    | Annotated[View, Tag("model")],
    Discriminator(_kind),
]


class Represent(Block):
    """The ladder of representations; models as in `preferences`."""

    models: dict[DottedName, Model]
    ladder: Annotated[dict[DottedName, Rung], Field(min_length=1)]
    precision: Literal["bfloat16", "float32"]
    max_tokens: Count

    @model_validator(mode="after")
    def _views_are_of_models(self) -> Self:
        for name, rung in self.ladder.items():
            if isinstance(rung, View):
                known(f"ladder.{name}.model", rung.model, "represent.models", self.models)
            elif isinstance(rung, Joined):
                plain = {other: own for other, own in self.ladder.items() if not isinstance(own, Joined)}
                for place, other in enumerate(rung.joined):
                    known(f"ladder.{name}.joined[{place}]", other, "represent.ladder", plain)
        return self

    def views(self) -> dict[str, View]:
        """Rungs that are layers of language models."""
        return {name: rung for name, rung in self.ladder.items() if isinstance(rung, View)}


class Teacher(Block):
    """A ridge head on a rung, fitted on so many true labels (all of the teacher's rows, where they are fewer)."""

    rung: Word
    labels: Annotated[int, Field(ge=10)]


class Weak(Block):
    """Teachers by name; control teachers stand on the rung of the first."""

    teachers: Annotated[dict[DottedName, Teacher], Field(min_length=1)]
    controls: tuple[Control, ...]

    def taught(self) -> tuple[str, ...]:
        """Names of all that label the student's rows, teachers first: bundles are read in no fixed order."""
        alone = ("itself", "teachers_labels")  # made with the students
        return (*self.teachers, *(kind for kind in self.controls if kind not in alone))


class Labels(Block):
    """The teachers' labels have no setting."""


class Strong(Block):
    """Rungs of the students, the strongest last: controls have students on it alone."""

    rungs: Names


class Settings(Block):
    """All of a regression study."""

    data: Data
    represent: Represent
    weak: Weak
    labels: Labels
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        ladder = self.represent.ladder
        for name, teacher in self.weak.teachers.items():
            known(f"weak.teachers.{name}.rung", teacher.rung, "represent.ladder", ladder)
            if name in get_args(Control):
                raise ValueError(f"weak.teachers.{name} bears the name of a control; give it another")
        for place, rung in enumerate(self.strong.rungs):
            known(f"strong.rungs[{place}]", rung, "represent.ladder", ladder)
        for name, kind in ladder.items():
            if isinstance(kind, Morgan | Molecules) == (self.data.role == "text"):
                raise ValueError(f"represent.ladder.{name} cannot read a {self.data.role}; take another kind of rung")
        return self
