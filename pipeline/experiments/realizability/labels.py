"""Weak labels as in the synthetic experiment."""

from pipeline.experiments.synthetic.labels import run

__all__ = ["run"]
