"""Compute what each figure draws, and draw it.  results/*/cells.csv, published/*/cells.csv -> paper_figures/

python -m pipeline.figures
"""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_core.utils import ensure_event_loop
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

from pipeline.core import artifacts, config, parallel, stage
from pipeline.core.errors import InputError, command_line
from pipeline.summary import tables
from pipeline.summary.figures import FIGURES

NOTEBOOKS = Path("notebooks")
EXECUTED = NOTEBOOKS / "executed"


def main() -> None:
    """Draw every figure of the experiments in params.yaml; nothing is replaced before all of them are drawn."""
    started = time.perf_counter()
    numbers = compute(tables.read(config.experiments()), config.intervals())
    with tempfile.TemporaryDirectory() as scratch:
        draw(numbers, Path(scratch))
        for path in sorted(Path(scratch).glob("*.*")):
            artifacts.sweep(artifacts.FIGURES / path.name)
            artifacts.write_bytes(artifacts.FIGURES / path.name, path.read_bytes())
    stage.record_runtime("figures", time.perf_counter() - started)


def compute(cells: tables.Tables, settings: config.Intervals) -> dict[str, Any]:
    """Numbers of every figure whose experiment has cells, by figure name."""
    return {
        name: {"figure": name, **figure.numbers(cells, settings)}
        for name, figure in FIGURES.items()
        if figure.experiment in cells
    }


def draw(numbers: Mapping[str, Any], folder: Path) -> None:
    """Write the numbers into ``folder`` and let the notebooks draw them there, one kernel a notebook, side by side."""
    for name, value in numbers.items():
        artifacts.write_json(folder / f"{name}.json", value)
    families: dict[str, list[str]] = {}
    for name in numbers:
        families.setdefault(FIGURES[name].notebook, []).append(name)
    with _kernel_environment(folder / "kernel"), ThreadPoolExecutor(parallel.workers()) as threads:
        running = [threads.submit(execute, notebook, names, folder) for notebook, names in families.items()]
        for finished in tqdm(as_completed(running), desc="figures", total=len(running), disable=None, leave=False):
            finished.result()


def execute(notebook: str, names: list[str], folder: Path) -> None:
    """Run one notebook; its executed copy is kept for the reader and ignored by git."""
    source = NOTEBOOKS / f"{notebook}.ipynb"
    if not source.exists():
        raise InputError(f"{source} is missing; restore it with `git checkout {source}`")
    EXECUTED.mkdir(parents=True, exist_ok=True)
    copy = EXECUTED / source.name
    try:
        with closing(ensure_event_loop()):  # papermill would leave this thread's loop open
            papermill.execute_notebook(
                source,
                copy,
                {"figures": names, "folder": str(folder)},
                kernel_name="python3",
                progress_bar=False,
                log_output=False,
                cwd=str(Path.cwd()),
                extra_arguments=["--log-level=CRITICAL"],
            )
    except PapermillExecutionError as error:
        raise InputError(f"{source}: {error.ename}: {error.evalue}; the executed copy {copy} shows where") from None
    except (nbformat.ValidationError, nbformat.reader.NotJSONError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{source} is no notebook ({reason}); restore it with `git checkout {source}`") from None


@contextmanager
def _kernel_environment(home: Path) -> Iterator[None]:
    # Kernels find this package wherever they are started, and see no configuration of the user.
    ours = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")])),
        "IPYTHONDIR": str(home),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "MPLBACKEND": "agg",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        os.environ.update({name: value for name, value in before.items() if value is not None})
        for name in (name for name, value in before.items() if value is None):
            del os.environ[name]


if __name__ == "__main__":
    command_line(main)
