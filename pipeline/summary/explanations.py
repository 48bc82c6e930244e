"""Statistics of the cells of `explanations`."""

import pandas as pd


def mean_worst_accuracy(cells: pd.DataFrame) -> float:
    """Mean accuracy on the worst class."""
    return float(cells["worst_accuracy"].mean())


def mean_train_slope(cells: pd.DataFrame) -> float:
    """Mean norm of the gradient of the label's log-probability in the masked inputs, where the student was trained."""
    return float(cells["train_slope"].mean())


EXPLANATIONS = {function.__name__: function for function in (mean_worst_accuracy, mean_train_slope)}
