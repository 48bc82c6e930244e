"""In a clone: the modules of pipeline/theory.  An installation has them here instead (pyproject.toml)."""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2] / "pipeline" / "theory")]
