"""Settings of `essays`: those of a regression on texts, with the prompts that essays answer and students of sizes."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from pipeline.core.config import Word
from pipeline.experiments.regression import settings as regression


class Data(regression.Data):
    """A table of essays: ``rows`` of them in all, the same number of each prompt."""

    prompt: Word  # column that tells which prompt an essay answers
    prompts: Annotated[int, Field(ge=2)]  # how many there are

    @model_validator(mode="after")
    def _is_even(self) -> Self:
        if set(self.columns) != {"text", "label"}:
            raise ValueError(f"columns name {', '.join(self.columns)}; name text and label, and nothing else")
        if self.rows % self.prompts:
            raise ValueError(f"rows is {self.rows}; give a multiple of the {self.prompts} prompts")
        return self


class Strong(regression.Strong):
    """Besides students on all of their rows, those of the strongest rung and of joined ones on the first ``sizes``."""

    sizes: tuple[Annotated[int, Field(ge=10)], ...]


class Settings(regression.Settings):
    """All of the study."""

    data: Data
    strong: Strong

    def joined(self) -> tuple[str, ...]:
        """Rungs of students that see several rungs side by side."""
        return tuple(rung for rung in self.strong.rungs if isinstance(self.represent.ladder[rung], regression.Joined))

    @model_validator(mode="after")
    def _sizes_are_at_hand(self) -> Self:
        third = self.data.rows // 3
        for place, size in enumerate(self.strong.sizes):
            if size >= third:
                raise ValueError(f"strong.sizes[{place}] is {size}, but a student has {third} rows; lower it")
        return self
