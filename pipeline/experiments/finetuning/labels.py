"""Let the teachers label the student's rows: their probabilities, or their answers.

Items: `<dataset>.<seed>` -> `<teacher>/<soft|hard>`: probabilities of class 1 for the student's rows; controls soft.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.finetuning.settings import CONTROLS, Settings


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Weak labels of every set and seed."""
    names = [f"{dataset}.{seed}" for dataset in settings.data.datasets for seed in settings.data.seeds]
    return {name: label(upstream["weak"][name], settings.labels.kinds) for name in names}


def label(taught: Arrays, kinds: tuple[str, ...]) -> Arrays:
    """Every teacher's labels of the student's rows."""
    found = {}
    for key, soft in taught.items():
        teacher, part = key.split("/")
        if part == "weak":
            wanted = ("soft",) if teacher in CONTROLS else kinds
            found |= {f"{teacher}/{kind}": as_kind(soft, kind) for kind in wanted}
    return found


def as_kind(soft: np.ndarray, kind: str) -> np.ndarray:
    """Probabilities as they are, or the answers that they give."""
    return (soft > 0.5).astype(np.float64) if kind == "hard" else soft
