"""Data of the molecules experiment."""

from pipeline.experiments.molecules.data import run

__all__ = ["run"]
