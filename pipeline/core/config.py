"""Blocks of params.yaml -> frozen, validated settings.  A mistake is one line: key, value, remedy."""

import difflib
import json
import re
from collections.abc import Iterable
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core.errors import InputError

PARAMS = Path("params.yaml")
LONGEST = 100  # characters of a value in a message

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Word = Annotated[str, Field(min_length=1)]

Seeds = Annotated[tuple[Seed, ...], Field(min_length=1)]
Names = Annotated[tuple[Word, ...], Field(min_length=1)]


def _plain_name(text: str) -> str:
    if not re.fullmatch(r"\w+(-\w+)*", text, re.ASCII):
        raise ValueError("take letters, digits, `_` and single `-` for a name: it becomes part of file names")
    return text


def _dotted_name(text: str) -> str:
    if not re.fullmatch(r"\w+([-.]\w+)*", text, re.ASCII):
        raise ValueError("take letters, digits, `_` and single `-` or `.` for a name: it becomes part of file names")
    return text


Name = Annotated[str, AfterValidator(_plain_name)]  # that becomes part of the name of an item or a file
DottedName = Annotated[str, AfterValidator(_dotted_name)]


class Block(BaseModel):
    """A block of params.yaml: immutable, no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="after")
    def _no_list_holds_a_value_twice(self) -> Self:
        # Its cells would stand twice in the results, and every interval over them would be too narrow.
        for name, values in self:
            if isinstance(values, tuple):
                for place, value in enumerate(values):
                    if value in values[:place]:
                        raise ValueError(f"{name} holds {value!r} twice, which would be counted twice; drop one")
        return self


class AdamW(Block):
    """Training by torch's AdamW (its default betas and eps) in shuffled minibatches."""

    epochs: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative


class Evaluate(Block):
    """Uncertainty in metrics.json."""

    confidence: Fraction


class Intervals(Block):
    """How the figures and claims state uncertainty."""

    confidence: Fraction
    resamples: Annotated[int, Field(ge=100)]
    seed: Seed


class Root(Block):
    """What every experiment shares; the experiments' own blocks are validated by their Settings."""

    experiments: Names
    diagrams: tuple[Word, ...] = ()  # which of them have reliability diagrams
    intervals: Intervals

    @model_validator(mode="after")
    def _diagrams_are_of_experiments(self) -> Self:
        for name in self.diagrams:
            if name not in self.experiments:
                raise ValueError(f"diagrams holds '{name}', which is not in experiments; drop it from both or neither")
        return self


def experiments(path: Path = PARAMS) -> tuple[str, ...]:
    """Names of the experiments of the main job, in the order of params.yaml."""
    return root(read(path), path).experiments


def intervals(path: Path = PARAMS) -> Intervals:
    """Confidence level, resamples and seed of every stated interval."""
    return root(read(path), path).intervals


def root(document: dict[str, Any], path: Path) -> Root:
    """What stands in params.yaml beside the experiments' blocks, each of which must be there."""
    names = document.get("experiments")
    blocks = {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()
    for name in sorted(blocks - set(document)):
        raise InputError(
            f"{path}: experiment '{name}' is named but there is no block '{name}:'; add it or drop the name"
        )
    return validate(Root, {key: value for key, value in document.items() if key not in blocks}, "", path)


def read(path: Path) -> dict[str, Any]:
    """A YAML file of blocks."""
    document = read_any(path)
    if not isinstance(document, dict):
        raise InputError(f"{path} holds no mapping of blocks; restore it with `git checkout {path}`")
    return document


def read_any(path: Path) -> Any:
    """What stands in a YAML file."""
    try:
        return deepcopy(_parsed(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run from the root of the repository") from None
    except (YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is not valid YAML: {reason}; correct it or `git checkout {path}`") from None


@lru_cache(maxsize=64)
def _parsed(text: str) -> Any:
    # Parsing takes longest of all that is done with settings, and a command asks for the same file many times.
    return YAML(typ="safe").load(text)


def validate(model: type[BaseModel], block: Any, prefix: str, path: Path, beside: Iterable[str] = ()) -> Any:
    """A block of a file as its model.

    For the message of an error: ``prefix`` is the block's key, ``beside`` are keys in it that are not the model's.
    """
    # JSON mode keeps strict types and still lets a YAML list become an immutable tuple.
    try:
        return model.model_validate_json(json.dumps(block))
    except ValidationError as error:
        free = {*model.model_fields, *beside}.difference(block if isinstance(block, dict) else ())
        raise InputError(_one_line(error.errors(include_url=False), free, prefix, path)) from None
    except (TypeError, ValueError) as error:  # a date; an alias to itself
        raise InputError(
            f"{path}: {prefix or 'a top-level block'} holds a value that is no plain number or text: {error}"
        ) from None


def meant(written: str, known: Iterable[str]) -> str | None:
    """The known name that is most like one written by mistake; None where none is."""
    return next(iter(difflib.get_close_matches(written, known, n=1)), None)


def _one_line(problems: list[Any], free: set[str], prefix: str, path: Path) -> str:
    # A misspelt key is two problems, one that is unknown and one that is missing: told as the one mistake that it is.
    for problem in problems:
        if problem["type"] == "extra_forbidden":
            *outer, written = problem["loc"]
            missing = {lacking["loc"][-1] for lacking in problems if _lacks(lacking, outer)}
            if name := meant(str(written), missing | (set() if outer else free)):
                also = f", and {_dotted(prefix, (*outer, name))} is missing" if name in missing else ""
                text = f"{_dotted(prefix, problem['loc'])} is not a known key{also}; did you mean {name}?"
                return f"{path}: {text}" + _more(len(problems) - 1 - (name in missing))
    first = problems[0]
    key = _dotted(prefix, first["loc"])
    if first["type"] == "missing":
        example = f"; a new file can follow another in {path.parent}/" if path.parent != Path() else ""
        text = f"is missing; add it (`git diff {path}` shows what was committed{example})"
    elif first["type"] == "extra_forbidden":
        text = "is not a known key; remove it or correct its spelling"
    elif first["type"] == "value_error" and len(repr(first["input"])) > LONGEST:
        # Found by looking at a whole block: its message names what is wrong, the block itself would bury it.
        where = f"{key}: " if prefix or first["loc"] else ""
        return f"{path}: {where}{_remedy(first)}" + _more(len(problems) - 1)
    else:
        text = f"is {_shortened(first['input'])}; {_remedy(first)}"
    return f"{path}: {key} {text}" + _more(len(problems) - 1)


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 2]} …"


def _lacks(problem: Any, outer: list[int | str]) -> bool:
    return problem["type"] == "missing" and [*problem["loc"][:-1]] == outer


def _more(others: int) -> str:
    return f" (and {others} more)" if others else ""


def _remedy(problem: Any) -> str:
    message = problem["msg"].removeprefix("Value error, ").replace("array", "list")
    return message[0].lower() + message[1:]


def _dotted(prefix: str, location: tuple[int | str, ...]) -> str:
    location = tuple(part for part in location if part != "[key]")  # how pydantic says that a key is wrong, not a value
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return (prefix + "".join(parts)).lstrip(".") or "the file"
