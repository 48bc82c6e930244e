"""Every figure has one home: a module in this folder with its numbers, its picture and its words.

A module, or a family of figures that share their code, lists them in FIGURES; a new figure is a new file here.
"""

import importlib
import pkgutil
import traceback
from collections import UserDict
from collections.abc import Callable, Container, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure as Picture

from pipeline.core import artifacts
from pipeline.core.config import Intervals
from pipeline.core.errors import InputError
from pipeline.figures import drawing
from pipeline.summary.tables import Tables

Numbers = dict[str, Any]


def reading(numbers: Numbers) -> str:
    """The sentence that the numbers bring, for a figure without words of its own."""
    return numbers["reading"]


class Figure(NamedTuple):
    """One figure.  ``source`` is the key of its paper, ``cells`` the experiments (or published/<study>) that it cannot
    do without, ``shows`` a line for README; ``words`` tell those who cannot see it what is drawn.
    """

    source: str
    cells: tuple[str, ...]
    caption: str
    shows: str
    numbers: Callable[[Tables, Intervals], Numbers]
    draw: Callable[[Numbers], Picture]
    words: Callable[[Numbers], str] = reading


def found() -> dict[str, Figure]:
    """Figures of all modules in this folder, by name.  Raises InputError where one is wrong or two have one name."""
    figures: dict[str, Figure] = {}
    homes: dict[str, str] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        own = _of_module(module.name)
        for name in own.keys() & homes.keys():
            raise InputError(f"figure '{name}' stands in {homes[name]}.py and in {module.name}.py; rename one")
        for name, figure in own.items():
            if not isinstance(figure.cells, tuple) or not figure.cells:
                written = f"figure '{name}' in {module.name}.py has cells={figure.cells!r}"
                raise InputError(f'{written}; name at least one, with a comma after it: cells=("synthetic",)')
        figures |= own
        homes |= dict.fromkeys(own, module.name)
    return dict(sorted(figures.items()))


def _of_module(name: str) -> dict[str, Figure]:
    try:
        return getattr(importlib.import_module(f"pipeline.figures.{name}"), "FIGURES", {})
    except TypeError as error:  # a Figure with a field too few, or with one misspelt
        raise InputError(f"{_line(error)}: {error}; a figure has {', '.join(Figure._fields)}") from error


def _line(error: Exception) -> str:
    """The last line of a module in this folder that an error passed: its file, its number, its text."""
    passed = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    *_, last = (frame for frame in passed if str(Path(frame.filename).parent) in __path__)
    return f"pipeline/figures/{Path(last.filename).name}, line {last.lineno}, `{last.line}`"


def made_by(cells: Iterable[str]) -> list[str]:
    """The commands that make the cells of some experiments and published studies."""
    names = [(name.rpartition("/")[2], "/" in name) for name in cells]
    main = " ".join(f"evaluate@{name}" for name, is_study in names if not is_study)
    studies = " ".join(name for name, is_study in names if is_study)
    commands = {f"dvc repro {main}": main, f"python -m pipeline.study {studies}": studies}
    return [command for command, needed in commands.items() if needed]


def of_source(source: str) -> list[str]:
    """Names of the figures of a paper."""
    return [name for name, figure in FIGURES.items() if figure.source == source]


def drawable(sources: Container[str]) -> list[str]:
    """Names of the figures whose cells are among the sources."""
    return [name for name, figure in FIGURES.items() if all(cells in sources for cells in figure.cells)]


def compute(names: Iterable[str], tables: Tables, settings: Intervals) -> dict[str, Numbers]:
    """Numbers of some figures, by name."""
    return {name: {"figure": name, **_numbers(name, tables, settings)} for name in names}


def _numbers(name: str, tables: Tables, settings: Intervals) -> Numbers:
    figure = FIGURES[name]
    try:
        numbers = figure.numbers(tables, settings)
    except KeyError as error:
        raise InputError(f"figure '{name}' asks for {error}, which its cells lack: {_line(error)}") from error
    if figure.words is reading and "reading" not in numbers:
        home = figure.numbers.__module__.rpartition(".")[2]
        raise InputError(
            f"figure '{name}' in {home}.py has no words, and its numbers no `reading`; give it one of them"
        )
    return numbers


def picture(name: str, folder: Path) -> Path:
    """Draw a figure from its numbers in a folder; PDF and PNG go beside them.  Returns the path of the PNG."""
    drawing.use_style()
    return drawing.save(FIGURES[name].draw(artifacts.read_item(folder / f"{name}.json")), folder / name)


class _Figures(UserDict[str, Figure]):
    """Figures by name, found when one is first asked for: within a command, where a mistake ends in one line."""

    def __init__(self) -> None:
        """Leave the finding to the first question."""

    @cached_property
    def data(self) -> dict[str, Figure]:
        return found()


FIGURES = _Figures()
