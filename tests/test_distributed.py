"""Training divided over processes by accelerate, as over GPUs and machines: the numbers of one process."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.conftest import ROOT
from tests.several_processes import STEPS, finetuned
from tests.tiny_language import save_model


def test_two_processes_finetune_as_one(tmp_path: Path) -> None:
    """The batch of a step is fixed, so that the number of devices leaves only the rounding of sums."""
    folder = save_model(tmp_path / "model")
    out = tmp_path / "two.npy"
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes=2", "--main_process_port=0"]
    done = subprocess.run(
        [*launch, "-m", "tests.several_processes", str(folder), str(out)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    two, one = np.load(out), finetuned(folder, tmp_path / "one")
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-6)
    assert one[STEPS - 1] < one[0]
