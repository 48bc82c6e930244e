"""Statistics of the cells of `explanations`."""

import pandas as pd


def mean_worst_accuracy(cells: pd.DataFrame) -> float:
    """Mean accuracy on the worst class."""
    return float(cells["worst_accuracy"].mean())


def largest_train_slope(cells: pd.DataFrame) -> float:
    """Largest mean norm of the gradient of the label's log-probability in masked inputs, on the student's own rows."""
    return float(cells["train_slope"].max())


EXPLANATIONS = {function.__name__: function for function in (mean_worst_accuracy, largest_train_slope)}
