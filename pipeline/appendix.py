"""Record what the last run took, for the tables of docs/ARTIFACT.md (which pipeline.readme writes).

python -m pipeline.appendix      artifacts/runtime, artifacts -> docs/measured.json

Times are facts of one machine, so no run changes them: they stand in git as recorded by this command.  A study's times
are those of its published manifest.
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.core import artifacts, config, experiments
from pipeline.core.artifacts import ARTIFACTS, PUBLISHED, RESULTS, RUNTIME, STUDY_RESULTS
from pipeline.core.errors import InputError, command_line
from pipeline.figures import FIGURES, made_by
from pipeline.page import surroundings
from pipeline.summary import sources
from pipeline.summary.census import NAMES as KINDS
from pipeline.summary.census import VERDICTS, Topic, topics

PAGE = Path("docs/ARTIFACT.md")
MEASURED = Path("docs/measured.json")
NAMES = ("costs", "experiments", "claims")
ACROSS = ("figures", "claims", "report")  # stages of all experiments together
AGAIN = "python -m pipeline.appendix"
MEGABYTE = 1_000_000


def main() -> None:
    """Write times and sizes of what was run in the working folder."""
    artifacts.write_json(MEASURED, measure(config.experiments()))
    print(f"wrote {MEASURED}; `python -m pipeline.readme` brings {PAGE} up to date")


def measure(names: Iterable[str]) -> dict[str, Any]:
    """Seconds of each stage of the main job; bytes that it, and studies that ran here, left; with day and machine.

    Raises InputError where a stage has left no time, since it has not run here.
    """
    return {
        "day": datetime.date.today().isoformat(),
        "machine": surroundings.machine(),
        "experiments": {name: {"seconds": _seconds(name), "bytes": _bytes(name)} for name in names},
        "across": {stage: _time(stage) for stage in ACROSS},
        "environment": _environment(),
        "studies": {
            name: _bytes(name) for name in experiments.studies() if (STUDY_RESULTS / name / "cells.csv").exists()
        },
    }


def blocks(root: Path, measured: Mapping[str, Any]) -> dict[str, list[str]]:
    """The lines of the page's blocks, by name: what runs cost, experiments with their outcome, claims with theirs."""
    claims = artifacts.read_item(root / "report/claims.json")
    numbered = {name: f"E{number}" for number, name in enumerate(_all(root), 1)}
    return {
        "costs": _costs(measured),
        "experiments": list(_experiments(numbered, measured, root)),
        "claims": list(_claims(claims, numbered, sources.read(root / sources.SOURCES))),
    }


def recorded(root: Path) -> dict[str, Any]:
    """What `main` last wrote.  Raises InputError where it is absent or damaged."""
    try:
        return dict(artifacts.read_item(root / MEASURED))
    except InputError as error:
        what = str(error).partition(";")[0]
        raise InputError(f"{what}; restore it with `git checkout {MEASURED}`, or run `{AGAIN}`") from None


def _all(root: Path) -> list[str]:
    """Experiments of the main job, then studies with published ones first."""
    studies = [f"{PUBLISHED}/{name}" for name in experiments.studies(root / config.PARAMS)]
    return [*config.experiments(root / config.PARAMS), *sorted(studies, key=lambda name: not (root / name).exists())]


def _costs(measured: Mapping[str, Any]) -> list[str]:
    seconds = [sum(found["seconds"].values()) for found in measured["experiments"].values()]
    across, machine = sum(measured["across"].values()), measured["machine"]
    size = sum(found["bytes"] for found in measured["experiments"].values())
    installed, room = measured["environment"]["seconds"], measured["environment"]["bytes"]
    where = f"{machine['processor']}, {machine['system']}, Python {machine['Python']}"
    return [
        f"Recorded {measured['day']} on {where}.",
        f"The stages of the main job took {_minutes(sum(seconds) + across)} together,",
        f"{_minutes(across)} of them figures, claims and report, and left {_size(size)} in `artifacts/`.",
        f"The environment took {_minutes(installed)} to install, by the times of its files, and holds {_size(room)}.",
    ]


def _experiments(numbered: Mapping[str, str], measured: Mapping[str, Any], root: Path) -> Iterator[str]:
    yield "| | command | compute | disk | expected output | tolerance of `make verify` |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, number in numbered.items():
        known = measured["experiments"].get(name)
        size = known["bytes"] if known else measured["studies"].get(Path(name).name)
        disk = "–" if size is None else _size(size)
        parts = (number, f"`{made_by([name])[0]}`", _compute(name, known, root), disk, _output(name, root))
        yield f"| {' | '.join((*parts, _tolerance(Path(name).name, root)))} |"


def _compute(name: str, known: Mapping[str, Any] | None, root: Path) -> str:
    if known:
        return _minutes(sum(known["seconds"].values()))
    manifest = root / name / "manifest.json"
    if manifest.exists():
        return _minutes(sum(artifacts.read_item(manifest)["seconds"].values()))
    if Path(name).parent != PUBLISHED:
        return "not recorded"
    stated = experiments.minutes(Path(name).name, root / config.PARAMS)
    return f"not run; {stated:g} min expected" if stated else "not run; for a GPU"


def _output(name: str, root: Path) -> str:
    folder = Path(name) if Path(name).parent == PUBLISHED else RESULTS / name
    table = root / folder / "cells.csv"
    figures = sorted(figure for figure, known in FIGURES.items() if name in known.cells)
    drawn = ", ".join(f"`{figure}`" for figure in figures)
    if not table.exists():
        return f"`{folder}/cells.csv`; {drawn}" if drawn else f"`{folder}/cells.csv`"
    rows = f"`{folder}/cells.csv`, {_lines(table) - 1:,} rows"
    return f"{rows}; {drawn}" if drawn else rows


def _tolerance(name: str, root: Path) -> str:
    allowed = experiments.beside_evaluate(name, "TOLERANCE", root / config.PARAMS)
    if allowed:
        absolute, relative, reason = allowed
        return f"every number within {absolute:g} + {relative:g} · rms of its column ({reason})"
    return "estimates in the inner half of their intervals, same verdicts"


def _claims(
    claims: list[dict[str, Any]], numbered: Mapping[str, str], listed: Mapping[str, sources.Source]
) -> Iterator[str]:
    yield "| | claim | experiments | judged by | outcome |"
    yield "| --- | --- | --- | --- | --- |"
    number = 0
    for paper in listed:
        for topic in (topic for topic in topics(claims) if topic.paper == paper):
            number += 1
            yield _claimed(f"C{number}", f"{topic.words} ({listed[paper].label})", topic, numbered)
    for kind in (kind for kind in KINDS if kind != "claim"):
        rows = [row for row in claims if row["kind"] == kind]
        if rows:
            yield _claimed("", KINDS[kind], Topic("", "", rows), numbered)


def _claimed(number: str, words: str, topic: Topic, numbered: Mapping[str, str]) -> str:
    made = [numbered[name] for name in numbered if any(row["experiment"] == name for row in topic.rows)]
    figures = ", ".join(f"`{name}`" for name in sorted({row["figure"] for row in topic.rows})) if number else "–"
    counts = {verdict: sum(row["verdict"] == verdict for row in topic.rows) for verdict in VERDICTS}
    outcome = ", ".join(f"{verdict} {count}" for verdict, count in counts.items() if count)
    return f"| {number} | {words} | {', '.join(made)} | {figures} | {outcome} |"


def _environment() -> dict[str, float]:
    """Seconds from the first to the last file that `make` writes of the environment, and the bytes of all."""
    first, last = (Path(".venv") / name for name in ("pyvenv.cfg", ".installed"))
    if not last.exists():
        raise InputError(f"{last} is missing; run `make reproduce`, which installs the environment, then this again")
    size = sum(path.lstat().st_size for path in first.parent.rglob("*") if path.is_file())
    return {"seconds": round(last.stat().st_mtime - first.stat().st_mtime), "bytes": size}


def _seconds(name: str) -> dict[str, float]:
    ran = {path.stem.removesuffix(f"-{name}") for path in RUNTIME.glob(f"*-{name}.json")}
    return {verb: _time(f"{verb}-{name}") for verb in sorted({*experiments.VERBS, *ran})}


def _time(stage: str) -> float:
    path = RUNTIME / f"{stage}.json"
    if not path.exists():
        raise InputError(f"{path} is missing: that stage has not run here; run `make reproduce`, then this again")
    return float(artifacts.read_item(path)["seconds"])


def _bytes(name: str) -> int:
    files = (path for verb in experiments.VERBS for path in (ARTIFACTS / verb / name).rglob("*"))
    return sum(path.stat().st_size for path in files if path.is_file())


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _ in stream)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"


def _size(size: float) -> str:
    return f"{size / MEGABYTE:,.0f} MB"


if __name__ == "__main__":
    command_line(main, __doc__)
