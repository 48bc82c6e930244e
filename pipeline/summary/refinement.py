"""Statistics of the cells of `refinement` and of the studies beside it."""

import numpy as np
import pandas as pd


def decay_over_derived(cells: pd.DataFrame) -> float:
    """Rate at which excess risk decays between the two longest contexts, over the derived one; 1 where they agree.

    Risk falls like exp(-2 C n) / n for a student of refined labels, like exp(-C n) / sqrt(n) for answers in context:
    the power of n comes with the exponential (Bahadur and Rao 1960) and is taken off.
    """
    factor = 2 if (cells["method"] == "refined").all() else 1
    risks = cells.groupby("n_icl")["excess_risk"].mean().iloc[-2:]
    sizes = risks.index.to_numpy(float)
    slope = -np.diff(np.log(risks.to_numpy()) + factor / 2 * np.log(sizes))[0] / np.diff(sizes)[0]
    return float(slope / (factor * cells["derived_rate"].mean()))


def risk_beyond_best_naive(cells: pd.DataFrame) -> float:
    """Excess risk after refinement with the longest context, less that of the best pull: negative where it helps.

    The best pull is chosen on the cells themselves, in favour of naive finetuning.
    """
    refined = cells[cells["method"] == "refined"]
    longest = refined[refined["n_icl"] == refined["n_icl"].max()]
    naive = cells[cells["method"] == "naive"].groupby("eta")["excess_risk"].mean().min()
    return float(longest["excess_risk"].mean() - naive)


def least_risk(cells: pd.DataFrame) -> float:
    """Negative of the least excess risk of any cell: at most 0 means that all are positive."""
    return -float(cells["excess_risk"].min())


REFINEMENT = {
    function.__name__: function
    for function in (
        decay_over_derived,
        risk_beyond_best_naive,
        least_risk,
    )
}
