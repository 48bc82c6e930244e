"""Compute what each figure draws, and draw it.  results/*/cells.csv, published/*/cells.csv -> paper_figures/

python -m pipeline.figures                    all figures
python -m pipeline.figures charikar_fig2b     only those named
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_core.utils import ensure_event_loop
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

from pipeline.core import artifacts, config, parallel, stage
from pipeline.core.errors import InputError, command_line
from pipeline.figures import FIGURES, Numbers, compute, drawable, made_by
from pipeline.summary import sources, tables

NOTEBOOKS = Path("notebooks")
EXECUTED = NOTEBOOKS / "executed"
KERNEL = "python3"  # of this environment, whatever kernel a notebook was saved with
GENERIC = NOTEBOOKS / "figures.ipynb"  # for a source without a notebook of its own


class QuietKernel(AsyncKernelManager):
    """A kernel whose own log stays off the terminal: one that is told to stop may print a traceback of its sockets."""

    async def start_kernel(self, **options: Any) -> None:
        """Start it; what a cell prints comes back by message and is not touched."""
        await super().start_kernel(**options, stderr=subprocess.DEVNULL)


def main() -> None:
    """Draw the figures named on the command line, or all of the experiments in params.yaml."""
    parser = argparse.ArgumentParser(
        "python -m pipeline.figures", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="name", help="a figure; without any, all are drawn")
    names = parser.parse_args().names
    if names:
        redraw(names)
        return
    started = time.perf_counter()
    redraw()
    stage.record_runtime("figures", time.perf_counter() - started)


def redraw(names: Iterable[str] = ()) -> None:
    """Draw some figures, or all; nothing in paper_figures is replaced before all of them are drawn."""
    _check(names)
    cells = tables.read(config.experiments())
    for name in names:
        absent = [needed for needed in FIGURES[name].cells if needed not in cells]
        if absent:
            commands = " && ".join(made_by(absent))
            raise InputError(f"figure '{name}' needs the cells of {', '.join(absent)}; make them with `{commands}`")
    numbers = compute(names or drawable(cells), cells, config.intervals())
    with tempfile.TemporaryDirectory() as scratch:
        draw(numbers, Path(scratch))
        for path in sorted(Path(scratch).glob("*.*")):
            artifacts.sweep(artifacts.FIGURES / path.name)
            artifacts.write_bytes(artifacts.FIGURES / path.name, path.read_bytes())


def draw(numbers: Mapping[str, Numbers], folder: Path) -> None:
    """Write the numbers into ``folder`` and let the notebooks draw them there, one kernel a source, side by side."""
    sources: dict[str, list[str]] = {}
    for name, value in numbers.items():
        artifacts.write_json(folder / f"{name}.json", value)
        sources.setdefault(FIGURES[name].source, []).append(name)
    with _kernel_environment(folder / "kernel"), ThreadPoolExecutor(parallel.workers()) as threads:
        running = [threads.submit(execute, source, names, folder) for source, names in sources.items()]
        for finished in tqdm(as_completed(running), desc="figures", total=len(running), disable=None, leave=False):
            finished.result()


def execute(source: str, names: list[str], folder: Path) -> None:
    """Run the notebook of a source; its executed copy is kept for the reader and ignored by git."""
    notebook = NOTEBOOKS / f"{source}.ipynb"
    notebook = notebook if notebook.exists() else GENERIC
    if not notebook.exists():
        raise InputError(f"{notebook} is missing; restore it with `git checkout {notebook}`")
    EXECUTED.mkdir(parents=True, exist_ok=True)
    copy = EXECUTED / f"{source}.ipynb"
    try:
        with closing(ensure_event_loop()):  # papermill would leave this thread's loop open
            _run(notebook, copy, {"figures": names, "folder": str(folder)})
    except PapermillExecutionError as error:
        raise InputError(f"{notebook}: {error.ename}: {error.evalue}; the executed copy {copy} shows where") from None
    except NoSuchKernel as error:  # a KeyError, which would read as a damaged notebook
        remedy = "install what draws the figures with `pip install -r requirements.lock`"
        raise InputError(f"{notebook} runs in the Jupyter kernel '{error.name}', which is not here; {remedy}") from None
    except RuntimeError as error:
        remedy = "`python -m ipykernel_launcher` says why one does not start; W2S_WORKERS=1 needs less memory"
        raise InputError(f"{notebook}: {str(error).rstrip('.')}; {remedy}") from None
    except (nbformat.ValidationError, nbformat.reader.NotJSONError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{notebook} is no notebook ({reason}); restore it with `git checkout {notebook}`") from None


def _run(notebook: Path, copy: Path, parameters: dict[str, Any]) -> None:
    here, quiet = str(Path.cwd()), {"progress_bar": False, "log_output": False}
    _check_language(notebook)
    options = {
        "kernel_name": KERNEL,
        "language": "python",
        "extra_arguments": ["--log-level=CRITICAL"],
        "cwd": here,
        "kernel_manager_class": QuietKernel,
        **quiet,
    }
    papermill.execute_notebook(notebook, copy, parameters, **options)


def _check_language(notebook: Path) -> None:
    """Raise InputError for a notebook that says it is not Python; one that names another Python kernel runs in ours."""
    stated = nbformat.read(notebook, as_version=4).metadata
    language = stated.get("kernelspec", {}).get("language") or stated.get("language_info", {}).get("name") or "python"
    if language.lower() not in ("python", "ipython"):
        named = stated.get("kernelspec", {}).get("name", language)
        raise InputError(
            f"{notebook} is for the kernel '{named}' ({language}); choose a Python kernel there and save it"
        )


def _check(names: Iterable[str]) -> None:
    """Raise InputError for a name that is no figure's, and for a figure of no source or on cells that nothing makes."""
    for name in names:
        if name not in FIGURES:
            raise InputError(f"there is no figure '{name}'; known: {', '.join(FIGURES)}")
    known = sources.read()
    for name in names or FIGURES:
        figure = FIGURES[name]
        if figure.source not in known:
            raise InputError(f"figure '{name}' has source='{figure.source}'; {sources.SOURCES} has {', '.join(known)}")
        for needed in figure.cells:
            if not tables.can_be_made(needed):
                raise InputError(f"figure '{name}' has cells of '{needed}'; choose {tables.WHOSE}")


@contextmanager
def _kernel_environment(home: Path) -> Iterator[None]:
    # Kernels find this package wherever they are started, and see no configuration of the user.
    ours = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")])),
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
