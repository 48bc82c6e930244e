"""Where text sets come from: files of this repository, files of the mirror, or the hub; read through `datasets`.

A file is looked for in `data/`, then in the mirror (the folder in W2S_MIRROR, by default ../shared/data), and its
sha256 is checked.  A set of the hub is read at its pinned revision.
"""

import hashlib
import lzma
import os
from collections.abc import Mapping
from pathlib import Path

import datasets
import pandas as pd

from pipeline.core import artifacts
from pipeline.core.errors import InputError
from pipeline.experiments.preferences.common.settings import File, Hub, TextSet

SHIPPED = Path("data")
CACHE = artifacts.ARTIFACTS / "datasets"


def tables(name: str, settings: TextSet) -> dict[str, pd.DataFrame]:
    """Rows of each part (or of the pool and the test part) with the columns that the set's format names."""
    datasets.disable_progress_bars()
    if isinstance(settings.source, Hub):
        loaded = _from_hub(name, settings.source)
    else:
        paths = {part: str(found(name, file)) for part, file in settings.source.items()}
        loaded = {part: _from_file(name, path) for part, path in paths.items()}
    return {part: _columns(name, part, rows, settings) for part, rows in loaded.items()}


def found(name: str, file: File) -> Path:
    """Place of a file.  Raises InputError that names both places tried, or a hash that differs."""
    mirror = Path(os.environ.get("W2S_MIRROR", "../shared/data"))
    for path in (SHIPPED / file.path, mirror / file.path):
        if path.exists():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest == file.sha256:
                return path
            raise InputError(f"{path}: sha256 {digest[:12]}... is not the recorded one; restore the file ({name})")
    raise InputError(
        f"{file.path} of the text set '{name}' is neither in {SHIPPED} nor in {mirror}; set W2S_MIRROR to a "
        f"folder that holds it, or take '{name}' out of preferences.data.datasets"
    )


def _from_file(name: str, path: str) -> datasets.Dataset:
    try:
        return datasets.load_dataset("json", data_files=path, cache_dir=str(CACHE), split="train")
    except (OSError, EOFError, ValueError, lzma.LZMAError, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error.__cause__ or error).split())[:200]
        raise InputError(f"text set '{name}': {path} cannot be read as lines of JSON ({reason}); restore it") from None


def _from_hub(name: str, source: Hub) -> Mapping[str, datasets.Dataset]:
    options = {"revision": source.revision, "cache_dir": str(CACHE)}
    try:
        return {
            part: datasets.load_dataset(source.name, source.config, split=split, **options)
            for part, split in source.splits.items()
        }
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"text set '{name}': {source.name}@{source.revision} cannot be loaded ({reason}); connect to the hub once"
        ) from None


def _columns(name: str, part: str, rows: datasets.Dataset, settings: TextSet) -> pd.DataFrame:
    wanted = settings.columns
    missing = sorted(set(wanted.values()) - set(rows.column_names))
    if missing:
        raise InputError(
            f"text set '{name}', {part}: there is no column '{missing[0]}', only {', '.join(rows.column_names)}; "
            f"correct preferences.data.datasets.{name}.columns"
        )
    table = rows.select_columns(list(wanted.values())).to_pandas()
    return table.rename(columns={column: role for role, column in wanted.items()})
