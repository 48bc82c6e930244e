"""Weak labels as in the molecules experiment."""

from pipeline.experiments.molecules.labels import run

__all__ = ["run"]
