"""Where text sets come from: files of this repository, files of the mirror, or the hub; read through `datasets`.

A set of the hub is read at its pinned revision.
"""

import lzma
from collections.abc import Mapping

import datasets
import pandas as pd

from pipeline.core import artifacts, files
from pipeline.core.errors import InputError
from pipeline.experiments.preferences.settings import Hub, TextSet

CACHE = artifacts.ARTIFACTS / "datasets"


def tables(name: str, settings: TextSet) -> dict[str, pd.DataFrame]:
    """Rows of each part (or of the pool and the test part) with the columns that the set's format names."""
    datasets.disable_progress_bars()
    if isinstance(settings.source, Hub):
        loaded = _from_hub(name, settings.source)
    else:
        remedy = f"take '{name}' out of data.datasets in {{where}}"
        paths = {part: str(files.found(f"text set '{name}'", file, remedy)) for part, file in settings.source.items()}
        loaded = {part: _from_file(name, path) for part, path in paths.items()}
    return {part: _columns(name, part, rows, settings) for part, rows in loaded.items()}


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
            f"correct data.datasets.{name}.columns in {{where}}"
        )
    table = rows.select_columns(list(wanted.values())).to_pandas()
    return table.rename(columns={column: role for role, column in wanted.items()})
