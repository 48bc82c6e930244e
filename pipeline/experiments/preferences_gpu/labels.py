"""Weak labels as in the language-model experiment."""

from pipeline.experiments.preferences.labels import run

__all__ = ["run"]
