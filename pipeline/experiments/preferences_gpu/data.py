"""Text sets of the language-model experiment, all rows."""

from pipeline.experiments.preferences.data import run

__all__ = ["run"]
