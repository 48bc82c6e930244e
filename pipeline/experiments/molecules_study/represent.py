"""Representations of the molecules experiment, over more seeds of pretraining."""

from pipeline.experiments.molecules.represent import run

__all__ = ["run"]
