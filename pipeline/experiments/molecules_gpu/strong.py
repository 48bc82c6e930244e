"""Students and ceilings as in the molecules experiment."""

from pipeline.experiments.molecules.strong import run

__all__ = ["run"]
