"""The results that came with this repository: those of the last commit, or of an archive as it was unpacked.

A study's own results are ignored by git: what they are compared with is the published snapshot.
"""

from pathlib import Path

from pipeline import git, publish
from pipeline.core import artifacts

KEPT = Path(".committed")  # an archive has no history: the first run keeps what came with it
PATTERNS = (
    "results/*/cells.csv",
    "results/*/reliability.csv",
    "results/*/metrics.json",
    "artifacts/results/*/cells.csv",
    "artifacts/results/*/metrics.json",
    "report/claims.json",
    "paper_figures/*.json",
)
SNAPSHOTS = ("published/*/cells.csv", "published/*/metrics.json")


def keep() -> None:
    """Before the first run of an archive, put its results aside; does nothing in a clone, or a second time."""
    if _clone() or KEPT.exists():
        return
    for path in sorted(path for pattern in (*PATTERNS, *SNAPSHOTS) for path in Path().glob(pattern)):
        artifacts.write_bytes(KEPT / path, path.read_bytes())


def paths() -> list[Path]:
    """Files of results that are there now, or came with the repository."""
    there = {path for pattern in PATTERNS for path in Path().glob(pattern)}
    return sorted(there | {path for path in _listed() if any(path.match(pattern) for pattern in PATTERNS)})


def content(path: Path) -> bytes | None:
    """Bytes of a file of results as it came; None where it did not come with the repository."""
    if artifacts.STUDY_RESULTS in path.parents:
        return _bytes(publish.folder(path.parent.name) / path.name)
    return _bytes(path)


def _bytes(path: Path) -> bytes | None:
    if _clone():
        return git.output("show", f"HEAD:./{path.as_posix()}")
    kept = KEPT / path
    return kept.read_bytes() if kept.exists() else None


def _listed() -> list[Path]:
    if _clone():
        names = git.text("ls-tree", "-r", "--name-only", "-z", "HEAD", "results", "report", "paper_figures") or ""
        return [Path(name) for name in names.split("\0") if name]
    return [path.relative_to(KEPT) for path in KEPT.rglob("*") if path.is_file()]


def _clone() -> bool:
    return Path(".git").exists()
