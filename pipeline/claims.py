"""Judge what the papers say.  claims/<source>.yaml, {results,published}/*/cells.csv -> report/claims.json

python -m pipeline.claims
"""

import argparse
import sys
import time
from typing import Any

from pipeline.core import artifacts, config, stage
from pipeline.core.errors import command_line
from pipeline.figures import FIGURES
from pipeline.summary import census, designs, sources, statements, tables
from pipeline.summary.statements import Claim
from pipeline.summary.verdicts import judge

JUDGED = artifacts.REPORT / "claims.json"


def main() -> None:
    """Judge every claim and write the list."""
    started = time.perf_counter()
    claims = read()
    cells = tables.read(config.experiments())
    confidence = config.intervals().confidence
    made = designs.read(cells)
    judged = [judge(claim, cells, confidence, made) for claim in claims]
    artifacts.write_json(JUDGED, judged)
    print(census.written(judged))
    for note in unexpected(claims, judged, cells):
        print(note, file=sys.stderr)
    stage.record_runtime("claims", time.perf_counter() - started)


def unexpected(claims: list[Claim], judged: list[dict[str, Any]], cells: tables.Tables) -> list[str]:
    """A line for each claim that has no cell although its experiment has been run and it awaits nothing."""
    pairs = zip(claims, judged, strict=True)
    missing = ((claim, row) for claim, row in pairs if row["verdict"] == "not run" and not claim.awaits)
    return [f"{claim.path}: {claim.id}: {row['why']}" for claim, row in missing if claim.experiment in cells]


def read() -> list[Claim]:
    """Claims as written, in the order of their sources.  Raises InputError that names the claim and the key."""
    seen: dict[str, Claim] = {}
    for path in sources.files().values():
        for claim in statements.read(path):
            if claim.id in seen:
                raise claim.wrong("id", claim.id, f"{seen[claim.id].path} has it too; give each claim its own")
            if claim.figure not in FIGURES:
                raise claim.wrong("figure", claim.figure, f"choose from {', '.join(FIGURES)}")
            seen[claim.id] = claim
    return list(seen.values())


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    command_line(main)
