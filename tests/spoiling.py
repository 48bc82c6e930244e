"""Ways to spoil the files of a repository, each as a function without arguments that works in the current folder."""

import hashlib
import json
import lzma
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Spoil = Callable[[], object]
PARAMS = Path("params.yaml")  # which records the hashes


def overwrite(name: str, content: bytes) -> None:
    """New content under a name; files of a case share their content with the others, so never in place."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def remove(name: str) -> Spoil:
    return lambda: Path(name).unlink()


def without_notebooks() -> None:
    for path in Path("notebooks").glob("*.ipynb"):
        path.unlink()


def write(name: str, content: bytes) -> Spoil:
    return lambda: overwrite(name, content)


def cut(name: str, kept: float = 0.5) -> Spoil:
    """Only the first part of a file, as an interrupted copy leaves it."""
    return lambda: overwrite(name, Path(name).read_bytes()[: int(kept * Path(name).stat().st_size)])


def swap(name: str, old: bytes, new: bytes) -> Spoil:
    """One word of a file replaced, once."""

    def spoil() -> None:
        content = Path(name).read_bytes()
        assert old in content, f"{name} holds no {old!r}"
        overwrite(name, content.replace(old, new, 1))

    return spoil


def recorded(name: str, edit: Callable[[bytes], bytes]) -> Spoil:
    """A data file changed together with its recorded hash, as if it had been shipped so."""

    def spoil() -> None:
        before = Path("data", name).read_bytes()
        after = edit(before)
        overwrite(f"data/{name}", after)
        digests = [hashlib.sha256(content).hexdigest() for content in (before, after)]
        overwrite(str(PARAMS), PARAMS.read_bytes().replace(*(digest.encode() for digest in digests)))

    return spoil


def params(*keys: str | int, value: Any) -> Spoil:
    """One value of params.yaml."""
    return _setting(PARAMS, keys, value)


def without_block(name: str) -> Spoil:
    """An experiment named in params.yaml whose block is gone, as a merge may leave it."""

    def spoil() -> None:
        document = YAML().load(PARAMS)
        del document[name]
        PARAMS.unlink()
        YAML().dump(document, PARAMS)

    return spoil


def study(name: str, *keys: str | int, value: Any) -> Spoil:
    """One value of a study's settings."""
    return _setting(Path(f"studies/{name}.yaml"), keys, value)


def _setting(path: Path, keys: Sequence[str | int], value: Any) -> Spoil:
    def spoil() -> None:
        document = YAML().load(path)
        block = document
        for key in keys[:-1]:
            block = block[key]
        block[keys[-1]] = value
        path.unlink()
        YAML().dump(document, path)

    return spoil


def first_of(pattern: str, spoil: Callable[[str], Spoil]) -> Spoil:
    """The same on the first file that fits a pattern."""
    return lambda: spoil(str(min(Path().glob(pattern))))()


def without_units(*spoils: Spoil) -> Spoil:
    """The same where no finished unit saves a stage from reading its inputs."""

    def spoil() -> None:
        shutil.rmtree("artifacts/partial")
        for each in spoils:
            each()

    return spoil


def texts(edit: Callable[[bytes], bytes], part: str = "test") -> Spoil:
    """A text file of the study `preferences` changed together with its recorded hash."""

    def spoil() -> None:
        name = f"data/pairs_{part}.jsonl.xz"
        overwrite(name, edit(Path(name).read_bytes()))
        digest = hashlib.sha256(Path(name).read_bytes()).hexdigest()
        study("preferences", "data", "datasets", "pairs", "source", part, "sha256", value=digest)()

    return spoil


def lines(edit: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """The same on the text inside an xz file."""
    return lambda packed: lzma.compress(edit(lzma.decompress(packed)))


def document(edit: Callable[[Any], object]) -> Callable[[bytes], bytes]:
    """The same on a JSON document."""

    def change(content: bytes) -> bytes:
        value = json.loads(content)
        edit(value)
        return json.dumps(value).encode()

    return change


def judged(*rows: Any, **shared: Any) -> Spoil:
    """A file of claims with one group: these rows, and what they share."""
    return write("claims/charikar2024.yaml", json.dumps([{**shared, "claims": rows}]).encode())


def cut_rows(name: str) -> None:
    """Only the header of a table."""
    overwrite(name, Path(name).read_bytes().split(b"\n")[0] + b"\n")


def cell(name: str, column: str, value: str) -> None:
    """One value in the first row of a table."""
    rows = [line.split(",") for line in Path(name).read_text().splitlines()]
    rows[1][rows[0].index(column)] = value
    overwrite(name, "\n".join(",".join(row) for row in rows).encode())
