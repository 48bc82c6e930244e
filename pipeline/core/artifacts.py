"""What the stages hand to each other, and the only place that knows where it lies.

A bundle maps names to arrays (safetensors), a table (parquet) or plain values (JSON).  A bundle is written whole
beside its final place and then renamed, so a killed stage leaves nothing half-written.
"""

import glob
import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pipeline.core.errors import InputError

Arrays = dict[str, np.ndarray]
ARTIFACTS = Path("artifacts")
RESULTS = Path("results")
PUBLISHED = Path("published")
FIGURES = Path("paper_figures")
REPORT = Path("report")
STUDY_RESULTS = ARTIFACTS / "results"
RUNTIME = ARTIFACTS / "runtime"


class Bundle(Mapping[str, Any]):
    """Bundle on disk, read item by item when asked for; cheap to send to a worker."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder} is missing; run `dvc repro` to make it")
        self.folder = folder.resolve()  # workers may stand in another folder

    def __getitem__(self, name: str) -> Any:
        for path in self.folder.glob(f"{name}.*"):
            if path.stem == name:
                return read_item(path)
        raise InputError(f"{self.folder} has no item '{name}'; run `dvc repro` to make it anew")

    def __contains__(self, name: object) -> bool:
        return any(path.stem == name for path in self.folder.iterdir())

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(path.stem for path in self.folder.iterdir()))

    def __len__(self) -> int:
        return sum(1 for _ in self.folder.iterdir())


def folder(verb: str, experiment: str) -> Path:
    """Folder of the bundle that a verb writes for an experiment."""
    return ARTIFACTS / verb / experiment


def write(verb: str, experiment: str, bundle: Mapping[str, Any]) -> None:
    """Replace a stage's bundle.  Raises InputError when an array holds a value that is not finite."""
    target = folder(verb, experiment)
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target)
    scratch = _beside(target)
    scratch.mkdir()
    try:
        for name, item in bundle.items():
            _write_item(scratch, name, item)
        if target.exists():
            shutil.rmtree(target) if target.is_dir() else target.unlink()
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def read_item(path: Path) -> Any:
    """Arrays, table or plain value of one file of a bundle."""
    try:
        if path.suffix == ".safetensors":
            return load(path.read_bytes())
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run `dvc repro` to make it") from None
    except (SafetensorError, ValueError) as error:
        raise InputError(f"{path} is damaged ({' '.join(str(error).split())}); delete it and run `dvc repro`") from None


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write named arrays as safetensors, whole or not at all."""
    write_bytes(path, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def write_json(path: Path, value: Any) -> None:
    """Write a plain value as readable JSON, whole or not at all; NaN is refused."""
    sweep(path)
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def write_cells(path: Path, cells: pd.DataFrame) -> None:
    """Write a table of cells as CSV with ten significant digits, whole or not at all."""
    sweep(path)
    write_bytes(path, cells.to_csv(index=False, float_format="%.10g", lineterminator="\n").encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name beside it, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = _beside(path)
    try:
        with scratch.open("xb") as stream:
            stream.write(content)
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def _beside(path: Path) -> Path:
    # Not by tempfile, whose files are their owner's alone: in a shared folder modes go by the umask.
    return path.with_name(f".{path.name}-{secrets.token_hex(4)}")


def sweep(path: Path) -> None:
    """Remove what killed runs left beside a file or bundle under a temporary name."""
    for left in path.parent.glob(f".{glob.escape(path.name)}-*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Hash of one file, or of all files of a folder with their names."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
    for file in files:
        if path.is_dir():
            digest.update(str(file.relative_to(path)).encode())
        with file.open("rb") as stream:
            for piece in iter(lambda: stream.read(1 << 20), b""):
                digest.update(piece)
    return digest.hexdigest()


def _write_item(scratch: Path, name: str, item: Any) -> None:
    if isinstance(item, pd.DataFrame):
        item.to_parquet(scratch / f"{name}.parquet", index=False)
    elif isinstance(item, Mapping) and item and all(isinstance(value, np.ndarray) for value in item.values()):
        for key, array in item.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                where = np.argwhere(~np.isfinite(array))[0].tolist()
                raise InputError(
                    f"{name}: {key}{where} is not a finite number; training diverged, lower the learning rate"
                )
        write_arrays(scratch / f"{name}.safetensors", dict(item))
    else:
        write_json(scratch / f"{name}.json", item)
