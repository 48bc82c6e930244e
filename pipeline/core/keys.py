"""What a stage stands on, as one hash: the modules it loads, the settings it may read, the data files it names.

Modules are found by their imports, from the verb's own on.  Comments, docstrings and blank lines do not count: a
reworded sentence runs nothing again.
"""

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pipeline.core import files
from pipeline.core.experiments import Experiment, find

PACKAGE = Path(__file__).parents[1]


def key(experiment: Experiment, verb: str) -> str:
    """Hash of all that makes what a verb writes, but for what it reads of other verbs."""
    own = experiment.owner(verb)
    settings = own.until(verb)
    parts = [code(sources(own, verb)), settings.model_dump_json()]
    if verb == "data":  # later verbs read what this one wrote
        shipped = (files.SHIPPED / file.path for file in files.named(settings.model_dump(mode="json")))
        parts += [hashlib.sha256(path.read_bytes()).hexdigest() for path in shipped if path.exists()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def across(names: Iterable[str]) -> str:
    """Hash of the code behind a stage that speaks of all experiments: modules or folders of this package by name."""
    places = [PACKAGE / name for name in names]
    inside = [
        path for place in places for path in place.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    starts = [path for path in [*places, *inside] if path.suffix == ".py"]
    others = [path for path in inside if path.suffix != ".py"]
    parts = [code(reached(starts)), *(hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(others))]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def sources(experiment: Experiment, verb: str) -> list[Path]:
    """Modules that a verb loads: its entry point, its code, its settings, and all that these import."""
    places = (find(experiment.code, name) for name in (verb, "Settings"))
    return reached([PACKAGE / f"{verb}.py", *(place.path for place in places if place is not None)])


def code(modules: Iterable[Path]) -> str:
    """Hash of some modules and their places."""
    texts = {path.relative_to(PACKAGE).as_posix(): _bare(path, path.stat().st_mtime_ns) for path in modules}
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()


def reached(starts: Iterable[Path]) -> list[Path]:
    """The modules of this package that some of them import, directly or through others, and they themselves."""
    found: set[Path] = set()
    todo = list(starts)
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += _imports(path, path.stat().st_mtime_ns)
    return sorted(found)


def bare(source: str) -> str:
    """A module without comments, docstrings and blank lines; texts over several lines stay as they are."""
    tree, lines = ast.parse(source), source.splitlines()
    documented = (node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef))
    docstrings = {row for node in documented if node.body and _is_text(node.body[0]) for row in _rows(node.body[0])}
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant | ast.JoinedStr))
    inside = {row for node in texts if len(_rows(node)) > 1 for row in _rows(node)}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip()
    kept = (row for row, line in enumerate(lines) if row not in docstrings and (line.strip() or row in inside))
    return "\n".join(lines[row] for row in kept)


@cache
def _bare(path: Path, changed: int) -> str:
    return bare(path.read_text(encoding="utf-8"))


@cache
def _imports(path: Path, changed: int) -> tuple[Path, ...]:
    found: list[Path | None] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [_module(alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(path, node)
            found += [_module(origin), *(_module(f"{origin}.{alias.name}") for alias in node.names)]
    return tuple(target for target in found if target is not None)


def _origin(path: Path, node: ast.ImportFrom) -> str:
    """Full name of what a module imports from, which it may have written relative to its own place."""
    if not node.level:
        return node.module or ""
    home = path.parents[node.level - 1].relative_to(PACKAGE.parent).parts
    return ".".join([*home, *([node.module] if node.module else [])])


def _module(name: str) -> Path | None:
    package, *parts = name.split(".")
    if package != PACKAGE.name:
        return None
    place = PACKAGE.joinpath(*parts)
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.exists()), None)


def _rows(node: ast.stmt | ast.expr) -> range:
    return range(node.lineno - 1, node.end_lineno or node.lineno)


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
