"""The ladder of Pythia shapes, one tokenizer and one order of rows for all."""

from pipeline.experiments.preferences.pretrain import run

__all__ = ["run"]
