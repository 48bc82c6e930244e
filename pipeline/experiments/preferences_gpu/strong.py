"""Students and ceilings as in the language-model experiment, frozen and finetuned whole."""

from pipeline.experiments.preferences.strong import run

__all__ = ["run"]
