"""Run the whole pipeline and say what came of it.

python -m pipeline.reproduce [dvc repro options]
"""

import json
import os
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import lock, readme, reference
from pipeline.core import artifacts
from pipeline.core.errors import InputError, command_line, words
from pipeline.summary.census import VERDICTS, Count, census


def main() -> None:
    """dvc repro, then the summary a newcomer needs."""
    started, options = time.perf_counter(), words(__doc__)
    _without_git()
    reference.keep()
    committed = {path.parent.name: _committed(path) for path in _cells()}
    # Stages call plain `python`: let that be the one that runs here.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "dvc", "repro", *options]
    with lock.guarded():
        code = subprocess.run(command, env=environment, check=False).returncode
    if code:
        raise InputError("dvc repro stopped, see above; `make reproduce` goes on from there")
    readme.main()
    print(summary(committed, time.perf_counter() - started))


def summary(committed: dict[str, pd.DataFrame | None], seconds: float) -> str:
    """Figures, verdicts, report, distance from the committed cells, time."""
    judged = json.loads((artifacts.REPORT / "claims.json").read_text())
    lines = [
        f"figures  {len(list(artifacts.FIGURES.glob('*.png')))} in {artifacts.FIGURES}/ (PDF, PNG, numbers as JSON)",
        *(f"claims   {_counted(kind)}" for kind in census(judged)),
        "report   report/index.html",
        *(f"numbers  {name}: {_distance(committed.get(name), pd.read_csv(path))}" for name, path in _named_cells()),
        f"time     {seconds:.0f} s",
    ]
    return "\n".join(lines)


def _counted(kind: Count) -> str:
    listed = ", ".join(f"{kind.verdicts[verdict]} {verdict}" for verdict in VERDICTS if kind.verdicts[verdict])
    return f"{kind.name}: {listed}"


def largest_difference(reference: pd.DataFrame, cells: pd.DataFrame) -> float:
    """Largest difference in any numeric column, relative to the column's root mean square in the reference."""
    numbers = reference.select_dtypes("number").columns
    scale = np.sqrt((reference[numbers] ** 2).mean()).replace(0, 1)
    return float(((cells[numbers] - reference[numbers]).abs() / scale).max().max())


def _distance(reference: pd.DataFrame | None, cells: pd.DataFrame) -> str:
    if reference is None:
        return "no committed cells to compare with"
    if reference.shape != cells.shape or list(reference.columns) != list(cells.columns):
        return f"{len(cells)} cells against {len(reference)} committed ones: other settings, not compared"
    difference = largest_difference(reference, cells)
    return f"largest relative difference from the committed cells {difference:.2g}"


def _cells() -> list[Path]:
    return sorted(artifacts.RESULTS.glob("*/cells.csv"))


def _named_cells() -> list[tuple[str, Path]]:
    return [(path.parent.name, path) for path in _cells()]


def _committed(path: Path) -> pd.DataFrame | None:
    came = reference.content(path)
    return None if came is None else pd.read_csv(BytesIO(came))


def _without_git() -> None:
    if not Path(".git").exists():
        subprocess.run([sys.executable, "-m", "dvc", "config", "--local", "core.no_scm", "true"], check=True)


if __name__ == "__main__":
    command_line(main)
