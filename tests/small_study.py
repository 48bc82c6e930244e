"""A study at tiny size that runs in a folder of its own, and what it leaves there."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline.core import artifacts, cells, experiments, stage
from tests.conftest import Tiny


def settle(folder: Path, patch: pytest.MonkeyPatch, settings: Tiny) -> None:
    """Work in a folder that holds these settings, with one worker."""
    patch.chdir(folder)
    patch.setenv("W2S_WORKERS", "1")
    settings.write(folder)


def run(study: str, *verbs: str) -> None:
    """Run verbs of a study where the process works, all of them where none is named."""
    for verb in verbs or experiments.VERBS:
        stage.run(verb, study)


def ran(study: str, folder: Path, settings: Tiny, *verbs: str) -> Path:
    """The folder, in which these verbs of the study have run."""
    with pytest.MonkeyPatch.context() as patch:
        settle(folder, patch, settings)
        run(study, *verbs)
    return folder


def table(study: str, home: Path) -> pd.DataFrame:
    """Its cells."""
    return cells.read(home / f"artifacts/results/{study}/cells.csv")


def bundle(study: str, home: Path, verb: str) -> artifacts.Bundle:
    """What a verb left."""
    return artifacts.Bundle(home / "artifacts" / verb / study)
