"""Let the teachers label the student's molecules, and those by which an `adamw` student weighs its epochs.

Items: `<dataset>-<split>` with `labels` (teachers, n), zero for every molecule the student may not see, and
`teachers-<dataset>-<split>`, the table that says what each row is.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from pipeline.core.parallel import Pool
from pipeline.experiments.molecules.common import fitting
from pipeline.experiments.molecules.common.teachers import FEW
from pipeline.experiments.molecules.settings import Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Weak labels of every data set and split."""
    items: dict[str, Any] = {}
    for name, split in product(settings.data.datasets, settings.data.splits.names):
        teachers = upstream["weak"][f"teachers-{name}-{split}"]
        kept = ((teachers["regime"] == FEW) | teachers["inputs"].isin(settings.labels.inputs)).to_numpy()
        teachers = teachers[kept].reset_index(drop=True)
        predictions = upstream["weak"][f"{name}-{split}"]["predictions"][kept]
        parts = upstream["data"][f"{name}-{split}"]
        seen = np.stack([_seen(parts, inputs, predictions.shape[1]) for inputs in teachers["inputs"]])
        items[f"{name}-{split}"] = {"labels": np.where(seen, predictions, 0.0)}
        items[f"teachers-{name}-{split}"] = teachers
    return items


def _seen(parts: Mapping[str, np.ndarray], inputs: str, size: int) -> np.ndarray:
    rows = fitting.molecules(parts, inputs, "student")
    return np.isin(np.arange(size), np.concatenate(rows))
