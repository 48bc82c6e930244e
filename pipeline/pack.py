"""One archive with all that a GPU machine without network needs of this repository: code, params, data; no packages.

python -m pipeline.pack [archive]        by default artifacts/pack.tar
"""

import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import IO

from pipeline import git, publish
from pipeline.core import artifacts, experiments, files
from pipeline.core.errors import InputError, command_line, words

LIMIT = 64 * 2**20
ARCHIVE = artifacts.ARTIFACTS / "pack.tar"
MIRROR = Path("mirror")  # in the archive
# What the stages of a study never read.
LEFT_OUT = ("notebooks", "paper_figures", "published", "report", "results")


def main() -> None:
    """Make the archive, and say what is in it and how to use it."""
    given = words(__doc__)
    if len(given) > 1:
        raise InputError("usage: python -m pipeline.pack [archive]")
    target = Path(given[0]) if given else ARCHIVE
    studies = gpu_studies()
    contents = {**sources(), **mirrored(studies)}
    pack(target, contents)
    print(listing(target, contents))
    print(instructions(target, studies))


def gpu_studies() -> list[str]:
    """Studies for a GPU."""
    return [name for name in experiments.studies() if experiments.load(name).header.device == "gpu"]


def sources() -> dict[Path, Path]:
    """Files under version control that a study may need: place in the archive -> file."""
    return {name: name for name in tracked() if name.parts[0] not in LEFT_OUT}


def tracked() -> list[Path]:
    """Files under version control."""
    listed = git.text("ls-files", "-z")
    if listed is None:
        raise InputError("packing needs git's list of files, but this is no clone; clone the repository first")
    return [path for name in listed.split("\0") if name and (path := Path(name)).is_file()]


def mirrored(studies: list[str]) -> dict[Path, Path]:
    """Files of the mirror that the studies name, each checked: place in the archive -> file."""
    found: dict[Path, Path] = {}
    for study in studies:
        for file in files.named(experiments.load(study).settings.model_dump(mode="json")):
            path = files.found(f"study {study}", file, "unpack the data of this project there")
            if files.SHIPPED not in path.parents:
                found[MIRROR / file.path] = path
    return found


def pack(target: Path, contents: Mapping[Path, Path]) -> None:
    """Write the archive whole, the same bytes for the same files.  Raises InputError when it is over the limit."""
    sizes = {place: path.stat().st_size for place, path in contents.items()}
    if sum(sizes.values()) > LIMIT:
        biggest = sorted(sizes, key=lambda place: -sizes[place])[:5]
        named = ", ".join(f"{place} ({megabytes(sizes[place])})" for place in biggest)
        raise InputError(
            f"{megabytes(sum(sizes.values()))} to pack, over the limit of {megabytes(LIMIT)}; the biggest are {named}; "
            "take text sets out of the studies"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}")
    with scratch.open("wb") as stream:
        write(stream, contents, {publish.REVISION: publish.revision().encode()})
    if scratch.stat().st_size > LIMIT:
        scratch.unlink()
        raise InputError(f"{target} would be over the limit of {megabytes(LIMIT)}; take files out of the repository")
    scratch.replace(target)


def write(stream: IO[bytes], contents: Mapping[Path, Path], texts: Mapping[Path, bytes] | None = None) -> None:
    """A tar archive of files and texts by their places in it, sorted, without owners or times."""
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for place, path in sorted(contents.items()):
            _add(archive, place, path.read_bytes(), executable=bool(path.stat().st_mode & 0o100))
        for place, content in (texts or {}).items():
            _add(archive, place, content)


def listing(target: Path, contents: Mapping[Path, Path]) -> str:
    """Sizes by folder, and of the archive."""
    folders: dict[str, int] = {}
    for place, path in contents.items():
        name = place.parts[0] if len(place.parts) > 1 else "."
        folders[name] = folders.get(name, 0) + path.stat().st_size
    lines = [f"{megabytes(size):>10}  {name}" for name, size in sorted(folders.items(), key=lambda item: -item[1])]
    return "\n".join([*lines, f"{megabytes(target.stat().st_size):>10}  {target} (limit {megabytes(LIMIT)})"])


def instructions(target: Path, studies: list[str]) -> str:
    """Commands for the other machine."""
    prepare = f"mkdir w2s && tar xf {target.name} -C w2s && cd w2s && export W2S_MIRROR={MIRROR} W2S_DEVICE=cuda"
    steps = [f"there:  {prepare}", "        python -m dvc config --local core.no_scm true"]
    for study in studies:
        steps.append(f"        python -m pipeline.study {study}   (bring published/{study} back)")
    return "\n".join(["", *steps])


def megabytes(size: int) -> str:
    """Bytes in MiB."""
    return f"{size / 2**20:.2f} MiB"


def _add(archive: tarfile.TarFile, place: Path, content: bytes, executable: bool = False) -> None:
    entry = tarfile.TarInfo(place.as_posix())
    entry.size, entry.mode = len(content), 0o755 if executable else 0o644
    archive.addfile(entry, BytesIO(content))


if __name__ == "__main__":
    command_line(main)
