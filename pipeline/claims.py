"""Judge what the papers say.  claims.yaml, {results,published}/*/cells.csv -> report/claims.json

python -m pipeline.claims
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core import artifacts, config, stage
from pipeline.core.errors import InputError, command_line
from pipeline.figures import FIGURES
from pipeline.summary import tables
from pipeline.summary.verdicts import Claim, judge

SOURCE = Path("claims.yaml")
JUDGED = artifacts.REPORT / "claims.json"


def main() -> None:
    """Judge every claim and write the list."""
    started = time.perf_counter()
    claims = read(SOURCE)
    cells = tables.read(config.experiments())
    confidence = config.intervals().confidence
    artifacts.write_json(JUDGED, [judge(claim, cells, confidence) for claim in claims])
    stage.record_runtime("claims", time.perf_counter() - started)


def read(path: Path) -> list[Claim]:
    """Claims as written.  Raises InputError that names the claim and the key."""
    claims = [_claim(row, place, path) for place, row in enumerate(_rows(path))]
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise InputError(f"{path}: claim '{claim.id}' stands there twice; give each its own id")
        if claim.figure not in FIGURES:
            raise InputError(
                f"{path}: claim '{claim.id}': figure is '{claim.figure}'; choose from {', '.join(FIGURES)}"
            )
        seen.add(claim.id)
    return claims


def _rows(path: Path) -> Iterator[Any]:
    try:
        rows = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; restore it with `git checkout {path}`") from None
    except (YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is not valid YAML: {reason}; correct it or `git checkout {path}`") from None
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{path} holds no list of claims; restore it with `git checkout {path}`")
    return iter(rows)


def _claim(row: Any, place: int, path: Path) -> Claim:
    if not isinstance(row, dict):
        raise InputError(f"{path}: entry {place + 1} is no claim but {row!r}; give it the keys of its neighbours")
    name = f"{path}: claim '{row.get('id', f'number {place + 1}')}'"
    try:
        return Claim.model_validate_json(json.dumps(row))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise InputError(f"{name}: {_complaint(key, problem)}") from None


def _complaint(key: str, problem: Any) -> str:
    if problem["type"] == "missing":
        return f"{key} is missing; add it"
    if problem["type"] == "extra_forbidden":
        return f"{key} is not a known key; remove it or correct its spelling"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{key} is {problem['input']!r}; {message[0].lower()}{message[1:]}" if key else message


if __name__ == "__main__":
    command_line(main)
