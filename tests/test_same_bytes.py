"""All verbs of one experiment and one figure, twice at once, under conditions that must not matter: the same bytes.

The whole pipeline, claims and all figures: `python -m tests.same_bytes`.
"""

import subprocess
import sys
from pathlib import Path

from tests.clones import environment, outcomes, unlike
from tests.conftest import ROOT, Tiny

RUN = """
from pathlib import Path
from pipeline import figures
from pipeline.core import cells, config, stage
from pipeline.figures.__main__ import draw
for verb in ("data", "represent", "weak", "labels", "strong", "evaluate"):
    stage.run(verb, "synthetic")
tables = {"synthetic": cells.read(Path("results/synthetic/cells.csv"))}
draw(figures.compute(["charikar_fig2a"], tables, config.intervals()), Path("paper_figures"))
"""
CONDITIONS = {
    "here": {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "W2S_WORKERS": "1"},
    "größe und/zwei Wörter": {"TZ": "Asia/Kathmandu", "LC_ALL": "POSIX", "PYTHONHASHSEED": "4711", "W2S_WORKERS": "2"},
}
# A build that pins or shifts the clock must not reach the files either.
CLOCKS = ({}, {"SOURCE_DATE_EPOCH": "4102444800"})


def prepared(folder: Path) -> Path:
    """Tiny settings and the notebook of one figure."""
    (folder / "paper_figures").mkdir(parents=True)
    (folder / "notebooks").symlink_to(ROOT / "notebooks")
    params = Tiny()
    params["synthetic"]["data"].update(tasks=3)
    params["synthetic"]["represent"]["epochs"] = 20
    params["intervals"]["resamples"] = 100
    params.write(folder)
    return folder


def test_place_time_language_and_workers_leave_no_trace(tmp_path: Path) -> None:
    folders = [prepared(tmp_path / name) for name in CONDITIONS]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", RUN], cwd=folder, env=environment(PYTHONPATH=str(ROOT), **conditions, **clock)
        )
        for folder, conditions, clock in zip(folders, CONDITIONS.values(), CLOCKS, strict=True)
    ]
    assert [process.wait(timeout=300) for process in running] == [0, 0]
    first, second = map(outcomes, folders)
    assert {"results/synthetic/cells.csv", "results/synthetic/metrics.json"} <= first.keys()
    assert {f"paper_figures/charikar_fig2a.{suffix}" for suffix in ("json", "pdf", "png")} <= first.keys()
    assert list(unlike(first, second)) == []
