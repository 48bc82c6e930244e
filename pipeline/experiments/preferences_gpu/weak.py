"""Teachers as in the language-model experiment."""

from pipeline.experiments.preferences.weak import run

__all__ = ["run"]
