"""Release archive: every file under version control, the same bytes for the same files; it reproduces outside git.

python -m pipeline.archive [--anonymous]        dist/weak-to-strong-artifact.tar.gz, or -anonymous.tar.gz

The anonymous one carries no history, and none is made when a file names one of the authors of the history.
"""

import gzip
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path

from pipeline import git, pack
from pipeline.core import artifacts
from pipeline.core.errors import InputError, command_line, words

NAME = "weak-to-strong-artifact"


def main() -> None:
    """Write the archive and say where it is."""
    given = words(__doc__)
    if given not in ([], ["--anonymous"]):
        raise InputError("usage: python -m pipeline.archive [--anonymous]")
    anonymous = bool(given)
    files = pack.tracked()
    if anonymous:
        refuse_names(files, authors())
    target = Path("dist") / f"{NAME}{'-anonymous' if anonymous else ''}.tar.gz"
    artifacts.write_bytes(target, archive(files))
    print(f"{target}  {pack.megabytes(target.stat().st_size)}, {len(files)} files")


def archive(files: Iterable[Path]) -> bytes:
    """A compressed archive of files below one folder, without owners or times."""
    contents: Mapping[Path, Path] = {Path(NAME) / path: path for path in files}
    plain = BytesIO()
    pack.write(plain, contents)
    return gzip.compress(plain.getvalue(), mtime=0)


def authors() -> set[str]:
    """Full names and addresses of everyone who committed; a single word would be found in ordinary text."""
    logged = git.text("log", "--format=%an%n%ae%n%cn%n%ce") or ""
    return {name for line in logged.splitlines() if " " in (name := line.strip()) or "@" in name}


def refuse_names(files: Iterable[Path], names: Iterable[str]) -> None:
    """Raises InputError that names the file in which somebody is named."""
    for path in files:
        content = path.read_bytes().lower()
        for name in names:
            if name.lower().encode() in content:
                raise InputError(f"{path} names '{name}', an author of the history; take that out of it first")


if __name__ == "__main__":
    command_line(main)
