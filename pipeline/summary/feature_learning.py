"""Statistics of the cells of `feature_learning` (Oh, Song and Yun 2025), one number for a set of cells, by name.

Errors are shares of wrong labels.  B = n p_b^2 |nu|^4 / (sigma_p^4 d) is the column `bridge_ratio`.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from pipeline.summary.statistics import Statistic

HARMFUL = 0.12  # of p_h: the least test error in the harmful phase (Theorem 3.4, as recalled)
BELOW, ABOVE = 1.0, 100.0  # values of B that are taken for far below and far above the constants of the theorem
# Hard-only errors between which the exponents are fitted: beyond, the curve is flat or test examples are too few.
BENT = (0.05, 0.45)
SIZES = ("n_train", "dimension", "strength", "both")


def largest_ceiling_error(cells: pd.DataFrame) -> float:
    """Largest error of the same networks trained on true labels, over all cells."""
    return float(cells["ceiling_error"].max())


def error_beyond_gold(cells: pd.DataFrame) -> float:
    """Mean error of students less that of the same networks on true labels: what the wrong labels cost."""
    return float((cells["student_error"] - cells["ceiling_error"]).mean())


def largest_unclean(cells: pd.DataFrame) -> float:
    """Of those with a right pseudo-label, the largest share that a student does not fit, over all cells."""
    return float(1 - cells["clean"].min())


def largest_unfitted(cells: pd.DataFrame) -> float:
    """The largest share of pseudo-labels that a student does not fit, over all cells."""
    return float(1 - cells["fitted"].min())


def harmful_violation(cells: pd.DataFrame) -> float:
    """Most by which the test error stays below 0.12 p_h where B is at most 1."""
    own = cells[cells["bridge_ratio"] <= BELOW]
    return float((HARMFUL * own["hard"] - own["student_error"]).max())


def benign_error_over_bound(cells: pd.DataFrame) -> float:
    """Mean test error where B is at least 100, as a multiple of 0.12 p_h."""
    own = cells[cells["bridge_ratio"] >= ABOVE]
    return float((own["student_error"] / (HARMFUL * own["hard"])).mean())


def log_bridge_at_teacher(cells: pd.DataFrame) -> float:
    """log10 of the B at which students are as good as their teachers, on the monotone fit of gain to B."""
    return crossing(cells, -cells["gain"])


def log_bridge_at_benign(cells: pd.DataFrame) -> float:
    """log10 of the B at which the monotone fit of test error passes 0.12 p_h."""
    return crossing(cells, cells["student_error"] - HARMFUL * cells["hard"])


def explained_by_bridge(cells: pd.DataFrame) -> float:
    """Share of the variance of hard-only error over the map that a falling function of B explains."""
    return explained(cells, cells["bridge_ratio"])


def explained_without_bridge(cells: pd.DataFrame) -> float:
    """The same of n |nu|^4 / d, which leaves p_b out."""
    return explained(cells, cells["n_train"] * cells["strength"])


def explained_by_count(cells: pd.DataFrame) -> float:
    """The same of n p_b |nu|^4 / d, in which bridge examples are counted and not squared."""
    return explained(cells, cells["n_train"] * cells["both"] * cells["strength"])


def explained_by_signal(cells: pd.DataFrame) -> float:
    """The same of A = n |nu|^2 / d."""
    return explained(cells, cells["signal_ratio"])


def explained_beyond_rivals(cells: pd.DataFrame) -> float:
    """How much more B explains than the best of these three."""
    rivals = (explained_without_bridge, explained_by_count, explained_by_signal)
    return explained_by_bridge(cells) - max(rival(cells) for rival in rivals)


def signal_exponent(cells: pd.DataFrame) -> float:
    """Power of |nu| in hard-only error, that of n being 1; 4 in B."""
    return exponents(cells)["signal"]


def dimension_exponent(cells: pd.DataFrame) -> float:
    """Power of d; -1 in B."""
    return exponents(cells)["dimension"]


def bridge_exponent(cells: pd.DataFrame) -> float:
    """Power of p_b; 2 in B."""
    return exponents(cells)["bridge"]


def falling(x: pd.Series, y: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Levels of x, ascending, and the non-increasing function of them that is nearest to y in mean square."""
    levels = y.groupby(np.log10(x).round(9)).agg(["mean", "size"]).sort_index()
    fitted = isotonic_regression(levels["mean"], weights=levels["size"], increasing=False)
    return levels.index.to_numpy(), np.asarray(fitted.x)


def crossing(cells: pd.DataFrame, excess: pd.Series) -> float:
    """log10 of the B at which the falling fit of an excess passes 0; NaN where it does not."""
    levels, fitted = falling(cells["bridge_ratio"], excess)
    if not fitted[0] > 0 >= fitted[-1]:
        return float("nan")
    after = int(np.argmax(fitted <= 0))
    return float(np.interp(0, -fitted[after - 1 : after + 1], levels[after - 1 : after + 1]))


def explained(cells: pd.DataFrame, by: pd.Series) -> float:
    """1 - mean square around the falling fit / variance, of hard-only error."""
    levels, fitted = falling(by, cells["student_hard_error"])
    rest = cells["student_hard_error"] - np.interp(np.log10(by), levels, fitted)
    return float(1 - rest.pow(2).mean() / cells["student_hard_error"].var(ddof=0))


def exponents(cells: pd.DataFrame) -> Mapping[str, float]:
    """Powers of |nu|, d and p_b beside that of n, from least squares of log(error / (1/2 - error)) on their logs.

    A function of n^1 |nu|^4 d^-1 p_b^2 alone has constant ratios of slopes whatever its shape, so that the choice of
    the left side matters little.
    """
    found = cells.groupby(list(SIZES), as_index=False)["student_hard_error"].mean()
    bent = found[found["student_hard_error"].between(*BENT)]
    norm = (bent["strength"] * bent["dimension"]) ** 0.25
    design = np.log(
        np.stack([bent["n_train"], norm, bent["dimension"], bent["both"], np.full(len(bent), np.e)], axis=1)
    )
    odds = np.log(bent["student_hard_error"] / (0.5 - bent["student_hard_error"]))
    slopes = np.linalg.lstsq(design, odds, rcond=None)[0]
    return dict(zip(("signal", "dimension", "bridge"), (slopes[1:4] / slopes[0]).tolist(), strict=True))


FEATURE_LEARNING: dict[str, Statistic] = {
    function.__name__: function
    for function in (
        largest_ceiling_error,
        error_beyond_gold,
        largest_unclean,
        largest_unfitted,
        harmful_violation,
        benign_error_over_bound,
        log_bridge_at_teacher,
        log_bridge_at_benign,
        explained_by_bridge,
        explained_without_bridge,
        explained_by_count,
        explained_by_signal,
        explained_beyond_rivals,
        signal_exponent,
        dimension_exponent,
        bridge_exponent,
    )
}
