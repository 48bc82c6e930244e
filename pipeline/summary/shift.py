"""Statistics of `shift`, `shift_images` and `shift_preferences`: accuracies by method, and the weights of teachers."""

import numpy as np
import pandas as pd
from scipy import stats

# What RAVEN is compared with.
BASELINES = (
    "naive",
    "uniform",
    "confidence",
    "adaptive",
    "uniform_confidence",
    "uniform_adaptive",
    "bootstrapping",
    "cosupervision",
)


def weight_rank_correlation(cells: pd.DataFrame) -> float:
    """Rank correlation of weight and accuracy over the teachers of each domain, averaged over domains and seeds.

    NaN where no weights differ.
    """
    found = [
        stats.spearmanr(own["weight"], own["weak_accuracy"]).statistic
        for _, own in _weighted(cells).groupby(["domain", "seed"])
        if own["weight"].nunique() > 1
    ]
    return float(np.mean(found)) if found else np.nan


def most_weight_of_best(cells: pd.DataFrame) -> float:
    """Largest weight that the most accurate teacher has in any domain and seed."""
    groups = _weighted(cells).groupby(["domain", "seed"])
    return float(max(own["weight"].iloc[own["weak_accuracy"].to_numpy().argmax()] for _, own in groups))


def most_weight_off_one_teacher(cells: pd.DataFrame) -> float:
    """What the largest weight leaves to all other teachers, at most in any pool."""
    return float(1 - cells["largest_weight"].min())


def most_control_weight(cells: pd.DataFrame) -> float:
    """Largest weight that the teacher that knows nothing, added to the pool, has in any of them."""
    return float(cells["control_weight"].max())


def improvement_over_baselines(cells: pd.DataFrame) -> float:
    """RAVEN's accuracy over that of the best other method, less 1.

    The best one is chosen on the cells themselves, against RAVEN.
    """
    by_method = _accuracies(cells)
    return float(by_method["raven"] / by_method[[*BASELINES]].max() - 1)


def improvement_over_naive(cells: pd.DataFrame) -> float:
    """RAVEN's accuracy over that of naive finetuning on a random teacher, less 1."""
    by_method = _accuracies(cells)
    return float(by_method["raven"] / by_method["naive"] - 1)


def _accuracies(cells: pd.DataFrame) -> pd.Series:
    """Mean accuracy of each method at its default settings."""
    own = cells[cells["weight"].isna() & (cells["varied"] == "default")]
    return own.groupby("method")["student_accuracy"].mean()


def _weighted(cells: pd.DataFrame) -> pd.DataFrame:
    """Rows of single teachers with their weights."""
    return cells[cells["weight"].notna()]


SHIFT = {
    function.__name__: function
    for function in (
        weight_rank_correlation,
        most_weight_of_best,
        most_weight_off_one_teacher,
        most_control_weight,
        improvement_over_baselines,
        improvement_over_naive,
    )
}
