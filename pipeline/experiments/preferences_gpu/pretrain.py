"""The ladder of Pythia shapes, one tokenizer and one order of rows for all; only where a device is named."""

from pathlib import Path

from pipeline.experiments.preferences import pretrain
from pipeline.experiments.preferences_gpu.common.settings import Settings
from pipeline.scale import machine


def run(settings: Settings, home: Path, partial: Path) -> None:
    """Pretrain every model of the table.  Raises InputError unless W2S_DEVICE says on what."""
    machine.stated("preferences_gpu")
    pretrain.run(settings, home, partial)
