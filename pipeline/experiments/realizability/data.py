"""Data of the synthetic experiment, over more seeds."""

from pipeline.experiments.synthetic.data import run

__all__ = ["run"]
