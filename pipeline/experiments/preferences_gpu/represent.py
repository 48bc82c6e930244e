"""Features as in the language-model experiment."""

from pipeline.experiments.preferences.represent import run

__all__ = ["run"]
