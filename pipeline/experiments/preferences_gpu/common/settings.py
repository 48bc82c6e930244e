"""Settings of the study: the same keys as the language-model experiment, with the sizes of a GPU."""

from pipeline.experiments.preferences.common.settings import Settings

__all__ = ["Settings"]
