"""What a cell costs and how the cost grows: with tasks, with cells, with workers, and the plan for a million cells.

python benchmarks/scaling.py [docs/SCALING.md]      prints tables; with a file, puts them between its two markers

Costs are processor seconds inside a worker, which other programs on the machine hardly change; rates are by the clock.
"""

import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pandas as pd

ROOT = Path(__file__).parents[1]
os.chdir(ROOT)
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = str(ROOT)

from pipeline.core import artifacts, experiments, parallel  # noqa: E402
from pipeline.sweeping import cells, grid, summary  # noqa: E402

MILLION, MARKERS = 1_000_000, ("<!-- measured -->", "<!-- /measured -->")
PAPER = {"data.tasks": 100}  # nothing changed
CHEAP = grid.load("perturbed").settings
TASKS, COUNTS, EMPTY, CORES = (10, 30, 100, 300), (1, 2, 4, 8, 16), 200, (2, 16, 64, 256)


class Cost(NamedTuple):
    """Of one shard: cells, processor seconds, largest memory of its worker so far in MiB."""

    cells: int
    seconds: float
    memory: float


def main() -> None:
    """Measure, print, and write where asked to."""
    lines = [f"Measured on {machine()}.", ""]
    lines += [line for part in measured() for line in part]
    text = "\n".join(lines)
    print(text)
    if len(sys.argv) == 2:
        page, (first, last) = Path(sys.argv[1]), MARKERS
        content = re.sub(f"{first}.*{last}", f"{first}\n{text}\n{last}", page.read_text(), flags=re.S)
        artifacts.write_bytes(page, content.encode())


def measured() -> Iterator[list[str]]:
    """Each table in turn."""
    os.environ["W2S_WORKERS"] = "1"
    run(shards(CHEAP, 1))  # compiles the kernels
    by_tasks = {tasks: run(shards({**CHEAP, "data.tasks": tasks}, 1))[0] for tasks in TASKS}
    rows = [(tasks, cost.cells, f"{cost.seconds:.2f}", per_cell(cost)) for tasks, cost in by_tasks.items()]
    yield table(("tasks a seed", "cells", "processor seconds", "ms a cell"), rows)
    paper = run(shards(PAPER, 1))[0]
    both = {"of `sweeps/perturbed.yaml`": by_tasks[100], "of the paper": paper}
    rows = [(name, per_cell(cost), f"{cost.memory:.0f}") for name, cost in both.items()]
    yield table(("settings", "ms a cell", "MiB a worker"), rows)
    yield table(("cells", "processor seconds", "seconds of the summary"), list(growth()))
    rates, overhead = workers()
    yield table(("workers", "cells a second"), list(rates.items()))
    yield plan(both, overhead)


def growth() -> Iterator[tuple[object, ...]]:
    """Cost of more and more seeds at one point, and of their summary."""
    for count in COUNTS:
        chosen = shards({**CHEAP, "data.tasks": 30}, count)
        with tempfile.TemporaryDirectory() as scratch:
            costs = run(chosen, Path(scratch))
            started = time.process_time()
            summary.table(chosen, Path(scratch), ("panel", "head", "inputs"), 0.95)
            seconds = time.process_time() - started
        total = sum(cost.seconds for cost in costs)
        yield sum(cost.cells for cost in costs), f"{total:.2f}", f"{seconds:.2f}"


def workers() -> tuple[dict[str, str], float]:
    """Cells a second by kind and number of workers, and seconds that the caller and the scheduler need for a shard."""
    chosen, rates = shards(CHEAP, 8), {}
    for count in (1, 2):
        os.environ["W2S_WORKERS"] = str(count)
        rates[f"{count}, this machine's cores"] = rate(chosen)
    with cluster(2):
        rates["2, dask"] = rate(chosen)
        started = time.perf_counter()
        for _ in parallel.unordered(nothing, {f"unit-{unit}": () for unit in range(EMPTY)}):
            pass
        overhead = (time.perf_counter() - started) / EMPTY
    return rates, overhead


def plan(both: dict[str, Cost], overhead: float) -> list[str]:
    """A million cells, shards of two seeds of 100 tasks, every core busy: by the clock on so many cores."""
    rows = []
    for name, cost in both.items():
        total = MILLION * cost.seconds / cost.cells
        least = MILLION / (2 * cost.cells) * overhead
        minutes = [f"{max(total / cores, least) / 60:.1f}" for cores in CORES]
        rows.append((name, f"{total / 3600:.1f}", *minutes))
    heads = ("settings", "core hours", *(f"minutes on {cores} cores" for cores in CORES))
    return [*table(heads, rows), f"An empty shard takes {1000 * overhead:.1f} ms from call to result.", ""]


def shards(settings: dict[str, object], seeds: int) -> list[grid.Shard]:
    """Shards of one seed each at one point."""
    sweep = grid.Sweep(
        experiment="synthetic", seeds=seeds, seeds_per_shard=1, by=("panel",), settings=settings, grid={}
    )
    return list(grid.shards(sweep, Path("benchmarks/scaling.py")))


def run(chosen: list[grid.Shard], folder: Path | None = None) -> list[Cost]:
    """Costs of the shards, on the workers that the environment names; their cells are kept where a folder is given."""
    units = {shard.name: (experiments.load("synthetic"), shard.settings, shard.point, shard.seeds) for shard in chosen}
    costs = []
    for name, (cost, content) in parallel.unordered(timed, units):
        costs.append(cost)
        if folder:
            artifacts.write_bytes(folder / f"{name}.parquet", content)
    return costs


def rate(chosen: list[grid.Shard]) -> str:
    """Cells a second, workers already there."""
    run(chosen[:2])
    started = time.perf_counter()
    total = sum(cost.cells for cost in run(chosen))
    return f"{total / (time.perf_counter() - started):.0f}"


def timed(*arguments: object) -> tuple[Cost, bytes]:
    """A shard, its cost and its cells."""
    started = time.thread_time()
    content = cells.shard(*arguments)
    seconds = time.thread_time() - started
    return Cost(len(pd.read_parquet(BytesIO(content))), seconds, own_memory()), content


def nothing() -> None:
    """A unit without work."""


@contextmanager
def cluster(count: int) -> Iterator[None]:
    """A dask scheduler and workers, each a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "scheduler.json"
        dask = [sys.executable, "-m", "dask"]
        common = {"cwd": scratch, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = [subprocess.Popen([*dask, "scheduler", "--port", "0", "--scheduler-file", str(place)], **common)]
        try:
            until(lambda: place.exists() and place.stat().st_size > 0)
            os.environ["W2S_SCHEDULER"] = artifacts.read_item(place)["address"]
            worker = [*dask, "worker", os.environ["W2S_SCHEDULER"], "--nthreads", "1", "--nworkers", str(count)]
            started.append(subprocess.Popen(worker, **common))
            yield
        finally:
            os.environ.pop("W2S_SCHEDULER", None)
            for process in reversed(started):
                process.terminate()
                process.wait()


def until(condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    while not condition():
        time.sleep(0.05)


def own_memory() -> float:
    """Largest resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def per_cell(cost: Cost) -> str:
    """Milliseconds."""
    return f"{1000 * cost.seconds / cost.cells:.2f}"


def table(heads: tuple[str, ...], rows: list[tuple[object, ...]]) -> list[str]:
    """Lines of Markdown."""
    body = ["| " + " | ".join(str(entry) for entry in row) + " |" for row in (heads, ("---",) * len(heads), *rows)]
    return [*body, ""]


def machine() -> str:
    """Processor and cores."""
    about = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", about.read_text()) if about.exists() else []
    name = names[0] if names else platform.processor() or platform.machine()
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return f"{name}, {os.cpu_count()} cores, load {load} from other programs at the start"


if __name__ == "__main__":
    main()
