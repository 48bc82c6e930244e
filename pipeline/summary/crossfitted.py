"""Statistics that choose an epoch, made without the winner's curse: the choice is made on the other units.

The best of several epochs, read off the same test rows that then measure it, is never worse than the last one.
"""

from collections.abc import Callable

import pandas as pd

from pipeline.summary.classification import over_epochs

CrossFitted = Callable[[pd.DataFrame, pd.DataFrame], float]


def accuracy_lost_since_best(own: pd.DataFrame, others: pd.DataFrame) -> float:
    """Accuracy at the epoch that is best on the other units, less that of the last epoch."""
    curve = over_epochs(own)["student_accuracy"]
    return float(curve[_best(others)] - curve.iloc[-1])


def accuracy_lost_by_early_stop(own: pd.DataFrame, others: pd.DataFrame) -> float:
    """Accuracy at that epoch, less that where this unit's own weak validation would stop."""
    curve = over_epochs(own)
    return float(
        curve["student_accuracy"][_best(others)] - curve["student_accuracy"][curve["weak_validation"].idxmin()]
    )


def scaled_ece_rise_since_best(own: pd.DataFrame, others: pd.DataFrame) -> float:
    """ECE after temperature scaling at the last epoch less that at that epoch."""
    return _rise("student_ece_scaled", own, others)


def overconfidence_rise_since_best(own: pd.DataFrame, others: pd.DataFrame) -> float:
    """Mean confidence less accuracy at the last epoch, less that at that epoch."""
    return _rise("student_overconfidence", own, others)


def _rise(column: str, own: pd.DataFrame, others: pd.DataFrame) -> float:
    curve = over_epochs(own)[column]
    return float(curve.iloc[-1] - curve[_best(others)])


def _best(others: pd.DataFrame) -> float:
    return float(over_epochs(others)["student_accuracy"].idxmax())


CROSS_FITTED: dict[str, CrossFitted] = {
    function.__name__: function
    for function in (
        accuracy_lost_since_best,
        accuracy_lost_by_early_stop,
        scaled_ece_rise_since_best,
        overconfidence_rise_since_best,
    )
}
