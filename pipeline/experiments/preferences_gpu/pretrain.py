"""The ladder of Pythia shapes, one tokenizer and one order of rows for all; only where a device is named."""

import os
from pathlib import Path

from pipeline.core.errors import InputError
from pipeline.experiments.preferences import pretrain
from pipeline.experiments.preferences_gpu.common.settings import Settings


def run(settings: Settings, home: Path, partial: Path) -> None:
    """Pretrain every model of the table.  Raises InputError unless W2S_DEVICE says on what."""
    if not os.environ.get("W2S_DEVICE"):  # so that reproducing all studies never begins months of a processor's work
        raise InputError("preferences_gpu is made for a GPU: set W2S_DEVICE=cuda (W2S_DEVICE=cpu for tiny settings)")
    pretrain.run(settings, home, partial)
