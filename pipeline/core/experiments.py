"""An experiment: its block of settings, its code, and what it stands on.

A block is `<name>:` in params.yaml (the main job) or a file `studies/<name>.yaml`.  Its code is found by reading, not
by importing: the first of `code` (by default the name itself) that has a verb gives it, as `<code>.py: <verb>` or as
`<code>/<verb>.py: run`.  A verb that none of them has is the upstream experiment's, with its settings and results.
"""

import ast
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator

from pipeline.core.config import PARAMS, Block, Names, Positive, Word, meant, read, root, validate
from pipeline.core.errors import InputError

HOME = Path(__file__).parents[1] / "experiments"
STUDIES = Path("studies")
# In the order in which they run; what each may read of the others.  Reliability diagrams are drawn of few experiments.
UPSTREAM = {
    "data": (),
    "represent": ("data",),
    "weak": ("data", "represent"),
    "labels": ("data", "represent", "weak"),
    "strong": ("data", "represent", "labels"),
    "evaluate": ("data", "represent", "weak", "strong"),
    "reliability": ("data", "represent", "weak", "strong"),
}
VERBS = tuple(verb for verb in UPSTREAM if verb != "reliability")
PRETRAIN = "pretrain"  # of few studies; writes folders in the hub's format, no bundle
BLOCKS = ("data", PRETRAIN, *VERBS[1:])  # in the order in which they are read


def _names(code: Any) -> tuple[Any, ...]:
    """Names given as a list; one may stand alone."""
    if isinstance(code, str | list):
        return (code,) if isinstance(code, str) else tuple(code)
    raise ValueError("give a name or a list of names")


class Header(Block):
    """What a block may hold beside the settings of its verbs."""

    about: Word | None = None  # a line for the list of studies
    minutes: Positive | None = None  # on two cores
    code: Annotated[Names, BeforeValidator(_names)] | None = None
    upstream: Word | None = None
    device: Literal["gpu"] | None = None  # starts on a processor only where W2S_DEVICE says so


class Place(NamedTuple):
    """Where a name is defined: the module below pipeline.experiments, and its file."""

    module: str
    attribute: str
    path: Path


@dataclass(frozen=True)
class Experiment:
    """A block of settings with its code; ``path`` is the file that holds the block."""

    name: str
    header: Header
    settings: Any
    upstream: "Experiment | None"
    path: Path

    @property
    def code(self) -> tuple[str, ...]:
        """Where its verbs are looked for."""
        return self.header.code or (self.name,)

    @property
    def is_study(self) -> bool:
        """Whether it is no part of the main job."""
        return self.path.name != PARAMS.name

    def has(self, verb: str) -> bool:
        """Whether the verb is its own, not its upstream's."""
        return find(self.code, verb) is not None

    def owner(self, verb: str) -> "Experiment":
        """The experiment whose verb it is: this one, or one upstream."""
        if self.has(verb):
            return self
        if self.upstream is None:
            raise InputError(f"{self.path}: {self.name} has no verb {verb}; {_to_be_written(self.code, verb)}")
        return self.upstream.owner(verb)

    def until(self, verb: str) -> Any:
        """The settings that a verb may read: its own block and those of the verbs before it."""
        last = BLOCKS.index(verb) if verb in BLOCKS else len(BLOCKS)
        kept = {name: block for name, block in self.settings if name in BLOCKS[: last + 1]}
        return type(self.settings).model_construct(**kept)

    def function(self, verb: str) -> Callable[..., Any]:
        """What the verb means here."""
        return imported(find(self.owner(verb).code, verb))

    @contextmanager
    def named(self) -> Iterator[None]:
        """Fill name and file of this experiment into errors of code that serves several: `{experiment}`, `{where}`."""
        where = f"{self.path}" if self.is_study else f"the block {self.name} of {self.path}"
        try:
            yield
        except InputError as error:
            error.args = (str(error).replace("{experiment}", self.name).replace("{where}", where),)
            raise


def load(name: str, path: Path = PARAMS) -> Experiment:
    """An experiment of the main job or a study, its settings validated by the Settings of its code."""
    block, source = _block(name, path)
    prefix = name if source == path else ""
    header = validate(Header, {key: block[key] for key in Header.model_fields if key in block}, prefix, source)
    code = header.code or (name,)
    upstream = None if header.upstream is None else _upstream(name, header.upstream, code, path, source)
    place = find(code, "Settings")
    if place is None:
        raise InputError(f"{source}: no code of {name} ({', '.join(code)}) has Settings; see docs/ADDING.md")
    model = imported(place)
    own = {  # a verb without any number may stand as `labels: {}`
        key: value
        for key, value in block.items()
        if key not in Header.model_fields and (value != {} or key in model.model_fields or key not in BLOCKS)
    }
    given = {**_inherited(own, code, upstream, model, source), **own}
    settings = validate(model, given, prefix, source, beside=set(Header.model_fields) - set(block))
    return Experiment(name, header, settings, upstream, source)


def beside_evaluate(name: str, what: str, path: Path = PARAMS) -> Any:
    """A tuple or dict of plain values that stands beside an experiment's verb evaluate; read, not imported; or ().

    KEYS: columns that tell its rows apart beside the common ones.  TOLERANCE: how far a run on another machine may be
    off (absolute, relative, the reason); or ESTIMATES: why only its estimates are compared (see pipeline/verify.py).
    OVERLAP: by unit (`seed`, `split`), test rows over training rows where the units are resamples of one data set (see
    theory/intervals.py).
    """
    block, _ = _block(name, path)
    place = find(_names(block.get("code", name)), "evaluate")
    node = defined(place.path).get(what) if place else None
    return ast.literal_eval(node.value) if isinstance(node, ast.Assign) else ()


def minutes(name: str, path: Path = PARAMS) -> float | None:
    """How long the whole experiment takes on two cores, where its block states it."""
    block, _ = _block(name, path)
    return block.get("minutes")


def studies(path: Path = PARAMS) -> tuple[str, ...]:
    """Names of the studies, each a file of its own."""
    return tuple(sorted(file.stem for file in (path.parent / STUDIES).glob("*.yaml") if file.stem not in NOT_STUDIES))


NOT_STUDIES = ("dvc", "running")  # DVC's own files in that folder


def find(code: tuple[str, ...], name: str) -> Place | None:
    """Where the first of ``code`` defines a verb (or `Settings`); None where none does."""
    for package in code:
        stem = name.lower()
        inner, module = HOME / package / f"{stem}.py", HOME / f"{package}.py"
        attribute = "run" if name in UPSTREAM or name == PRETRAIN else name
        if attribute in defined(inner):
            return Place(f"{package}.{stem}", attribute, inner)
        if name in defined(module):
            return Place(package, name, module)
    return None


def defined(path: Path) -> Mapping[str, ast.stmt]:
    """Functions, classes and values that a module defines itself, by name; nothing where there is no such file."""
    if not path.exists():
        return {}
    return _defined(path.read_text(encoding="utf-8"))


@lru_cache(maxsize=256)
def _defined(source: str) -> Mapping[str, ast.stmt]:
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            found |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
    return found


def imported(place: Place | None) -> Any:
    """What stands at a place."""
    assert place is not None
    return getattr(importlib.import_module(f"pipeline.experiments.{place.module}"), place.attribute)


def _block(name: str, path: Path) -> tuple[dict[str, Any], Path]:
    document = read(path)
    main, own = root(document, path).experiments, path.parent / STUDIES / f"{name}.yaml"
    if name not in main and name in studies(path):
        return read(own), own
    if name not in main:
        known = ", ".join([*main, *studies(path)])
        raise InputError(f"{path}: there is no experiment '{name}'; known: {known}")
    if not isinstance(document[name], dict):
        raise InputError(f"{path}: {name} is {document[name]!r}; give it the blocks of its verbs")
    return document[name], path


def _upstream(name: str, upstream: str, code: tuple[str, ...], path: Path, source: Path) -> Experiment:
    if upstream == name:
        raise InputError(f"{source}: upstream is '{upstream}', the experiment itself; name another one")
    if all(find(code, verb) for verb in VERBS):
        raise InputError(
            f"{source}: upstream is '{upstream}', but nothing is left to it: {', '.join(code)} has every verb; "
            "drop upstream, or let code name a module without the verbs that are to be taken over"
        )
    return load(upstream, path)


def _to_be_written(code: tuple[str, ...], verb: str) -> str:
    """The remedy for a verb that no code has: where to write it, and what may have been meant to be it."""
    module = HOME / f"{code[0]}.py"
    place, function = (module, verb) if module.exists() else (HOME / code[0] / f"{verb}.py", "run")
    alike = meant(function, defined(place))
    hint = f" (which has {alike}: did you mean {function}?)" if alike else ""
    where = place.relative_to(HOME.parents[1])
    return f"write a function {function} in {where}{hint}, or name an experiment that has it, as `upstream:`"


def _inherited(
    own: dict[str, Any], code: tuple[str, ...], upstream: Experiment | None, model: type[Block], source: Path
) -> dict[str, Any]:
    """Blocks of the upstream experiment for verbs that are its own."""
    if upstream is None:
        return {}
    theirs = [name for name in BLOCKS if find(code, name) is None]
    for name in theirs:
        if name in own:
            raise InputError(f"{source}: {name} is settled by the upstream experiment {upstream.name}; drop it here")
    given = upstream.settings.model_dump(mode="json")
    return {name: given[name] for name in theirs if name in given and name in model.model_fields}
