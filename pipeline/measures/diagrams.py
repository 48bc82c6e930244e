"""Tables of reliability diagrams: one row a role and bin of top-label confidence."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.theory import calibration

COLUMNS = ("weak", "strong", "split", "seed", "role", "bin", "count", "confidence", "frequency")


def table(truth: np.ndarray, models: Mapping[str, np.ndarray], bins: int) -> pd.DataFrame:
    """Points, mean confidence and accuracy per role and bin of equal width, tasks pooled; (n, k) or (tasks, n, k).

    An empty bin has no row.
    """
    classes, tables = truth.shape[-1], []
    for role, model in models.items():
        found = calibration.reliability(model.reshape(-1, classes), truth.reshape(-1, classes), bins)
        rows = pd.DataFrame(found._asdict()).assign(role=role, bin=range(bins))
        tables.append(rows[rows["count"] > 0])
    return pd.concat(tables, ignore_index=True)
