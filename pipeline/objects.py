"""What becomes of each figure, table and theorem of the papers.  objects.yaml -> a table on the terminal

python -m pipeline.objects
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, ValidationInfo, field_validator

from pipeline import claims
from pipeline.core import config, experiments
from pipeline.core.config import Block, Word
from pipeline.core.errors import InputError, command_line
from pipeline.figures import FIGURES
from pipeline.summary import sources

OBJECTS = Path("objects.yaml")
Status = Literal["regenerated", "substituted", "not run", "not derivable"]
STATUSES: tuple[str, ...] = get_args(Status)
RUN = ("regenerated", "substituted")


class Object(Block):
    """A figure, table or theorem; the keys are explained at the top of objects.yaml."""

    object: Word
    shows: Word
    status: Status
    reason: str = Field(default="", validate_default=True)
    command: Word | None = Field(default=None, validate_default=True)
    files: tuple[Word, ...] = ()
    claims: tuple[Word, ...] = ()
    tests: tuple[Word, ...] = ()

    @field_validator("reason")
    @classmethod
    def _says_why(cls, reason: str, given: ValidationInfo) -> str:
        if not reason and given.data.get("status") != "regenerated":
            raise ValueError("say what is missing or put in its place")
        return reason

    @field_validator("command")
    @classmethod
    def _where_there_is_one(cls, command: str | None, given: ValidationInfo) -> str | None:
        if (command is not None) != (given.data.get("status") in RUN):
            raise ValueError(f"give the command that makes it where the status is {' or '.join(RUN)}, and nowhere else")
        return command


def main() -> None:
    """Print every object with its status; a pointer that leads nowhere is an error."""
    listed = read()
    for fault in dangling(listed):
        raise InputError(fault)
    for paper, objects in listed.items():
        print(f"\n{sources.read()[paper].title}\n")
        for item in objects:
            print(f"{item.object:42}{item.status:16}{item.command or ''}\n{'':6}{item.shows}")
            print("".join(f"{'':6}({item.reason})\n" for _ in item.reason[:1]), end="")
    print(f"\n{counted(listed)}")


def read(path: Path = OBJECTS) -> dict[str, list[Object]]:
    """The objects of each paper.  Raises InputError that names the object and the key."""
    return {
        str(paper): [
            config.validate(Object, row, f"{paper}[{place}]", path)
            for place, row in enumerate(_rows(path, paper, rows))
        ]
        for paper, rows in config.read(path).items()
    }


def counts(listed: dict[str, list[Object]]) -> Counter[str]:
    """How many objects have each status."""
    return Counter(item.status for objects in listed.values() for item in objects)


def counted(listed: dict[str, list[Object]]) -> str:
    """The counts as words, in the order of the statuses."""
    found = counts(listed)
    return f"{found.total()} objects: " + ", ".join(f"{found[status]} {status}" for status in STATUSES)


def dangling(listed: dict[str, list[Object]]) -> Iterator[str]:
    """A line for each file, claim, test or command that is not there."""
    known = {claim.id for claim in claims.read()}
    for paper, objects in listed.items():
        if paper not in sources.read():
            yield f"{OBJECTS}: {paper} is of no source; choose from {', '.join(sources.read())}"
        for item in objects:
            where = f"{OBJECTS}: {paper}, {item.object}"
            yield from (f"{where}: there is no file {name}" for name in item.files if not Path(name).exists())
            yield from (f"{where}: there is no claim {name}" for name in item.claims if name not in known)
            yield from (f"{where}: there is no test {name}" for name in item.tests if not _is_test(name))
            if item.command is not None and not _can_be_run(item.command):
                yield f"{where}: the command `{item.command}` names what is not there"


def _rows(path: Path, paper: str, rows: object) -> list[object]:
    if not isinstance(rows, list):
        raise InputError(f"{path}: {paper} is no list of objects; restore it with `git checkout {path}`")
    return rows


def _is_test(name: str) -> bool:
    path, _, function = name.partition("::")
    return function in experiments.defined(Path(path))


def _can_be_run(command: str) -> bool:
    """Whether a command of one of three forms names things that exist."""
    match command.split():
        case ["python", "-m", "pipeline.figures", *names]:
            return bool(names) and all(name in FIGURES for name in names)
        case ["python", "-m", "pipeline.study", name]:
            return name in experiments.studies()
        case ["pytest", path]:
            return Path(path).exists()
    return False


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    command_line(main)
