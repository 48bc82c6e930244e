"""Where text sets come from: files of this repository, of a user's own, of the mirror, or the hub.

A set of the hub is read through `datasets`, at its pinned revision.
"""

from collections.abc import Mapping

import pandas as pd

from pipeline.core import artifacts, files, tabular
from pipeline.core.errors import InputError
from pipeline.experiments.preferences.settings import Hub, TextSet

CACHE = artifacts.ARTIFACTS / "datasets"


def tables(name: str, settings: TextSet) -> dict[str, pd.DataFrame]:
    """Rows of each part (or of the pool) with the columns that the set's format names, under the names of the roles."""
    owner, key = f"text set '{name}'", f"data.datasets.{name}"
    if isinstance(settings.source, Hub):
        loaded = _from_hub(name, settings.source)
    else:
        remedy = f"take '{name}' out of data.datasets in a copy of {{where}}"
        paths = {part: files.found(owner, file, remedy) for part, file in settings.source.items()}
        loaded = {part: tabular.read(path, owner) for part, path in paths.items()}
    tables = {}
    for part, rows in loaded.items():
        tables[part] = tabular.columns(
            rows, settings.columns, f"{owner}, {part}", f"{key}.columns.{{role}} in {{where}}"
        )
        if part != "pool" and len(rows) < settings.sizes[part]:
            raise InputError(
                f"{owner}, {part}: there are {len(rows)} rows, fewer than the {settings.sizes[part]} asked for; lower "
                f"{key}.sizes.{part} in {{where}}"
            )
    return tables


def _from_hub(name: str, source: Hub) -> Mapping[str, pd.DataFrame]:
    import datasets  # slow, and only needed here

    datasets.disable_progress_bars()
    options = {"revision": source.revision, "cache_dir": str(CACHE)}
    try:
        return {
            part: datasets.load_dataset(source.name, source.config, split=split, **options).to_pandas()
            for part, split in source.splits.items()
        }
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason, remedy = " ".join(str(error).split())[:200], "connect to the hub once"
        if "scripts are no longer supported" in reason:
            remedy = "take a revision that holds data files, for example that of the hub's branch refs/convert/parquet"
        raise InputError(
            f"text set '{name}': {source.name}@{source.revision} cannot be loaded ({reason}); {remedy}"
        ) from None
