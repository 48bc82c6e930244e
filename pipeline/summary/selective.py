"""Statistics of the cells of `selective`: labels, and the selector of labels."""

import pandas as pd


def mean_label_accuracy(cells: pd.DataFrame) -> float:
    """Share of the students' labels that are right."""
    return float(cells["label_accuracy"].mean())


def mean_auroc(cells: pd.DataFrame) -> float:
    """How well the selector tells right own answers from wrong ones: AUROC on test rows, 0.5 where it guesses."""
    return float(cells["auroc"].mean())


def mean_risk(cells: pd.DataFrame) -> float:
    """Share of wrong answers of the strong model among the test rows that the selector takes."""
    return float(cells["risk"].mean())


SELECTIVE = {function.__name__: function for function in (mean_label_accuracy, mean_auroc, mean_risk)}
