"""Draw a grammar and prompts.  An item a seed: `following`, `kinds`, and the prompts of each part, all different."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.contrastive.settings import Data, Settings
from pipeline.models import grammar


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Grammar and prompts of every seed."""
    return {f"seed-{seed}": drawn(seed, settings.data) for seed in settings.data.seeds}


def drawn(seed: int, data: Data) -> Arrays:
    """Grammar and prompts (count, prompt) of one seed; no prompt occurs twice."""
    language = grammar.drawn(
        streams.generator(seed, "contrastive/grammar"), data.words, data.kinds, data.successors, data.slips
    )
    stream, prompts = streams.generator(seed, "contrastive/prompts"), np.empty((0, data.prompt), np.int64)
    while len(prompts) < data.prompts:
        prompts = np.concatenate([prompts, language.strings(stream, data.prompts, data.prompt)])
        prompts = prompts[np.sort(np.unique(prompts, axis=0, return_index=True)[1])]
    parts = np.split(prompts[: data.prompts], [data.teacher, data.teacher + data.student])
    return {**language._asdict(), **dict(zip(("teacher", "student", "test"), parts, strict=True))}
