"""Draw facts and questions of every seed, and what each generator answers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.aligner.settings import Data, Settings
from pipeline.models import worksheets


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By seed: `facts` (exercises,), questions (n, length) of each part, answers (n, room); see ``drawn``."""
    return {f"seed-{seed}": drawn(seed, settings.data) for seed in settings.data.seeds}


def drawn(seed: int, data: Data) -> Arrays:
    """`questions.<part>`; `answers.corrector` and `answers.network`, one a question; `test.<generator>`."""
    stream, cuts = streams.generator(seed, "aligner/questions"), np.cumsum([*data.parts.values()])
    facts = stream.integers(data.language.numbers, size=data.language.exercises)
    every = worksheets.asked(stream, data.language, int(cuts[-1]))
    asked = dict(zip(data.parts, np.split(every, cuts[:-1]), strict=True))
    found = {"facts": facts} | {f"questions.{part}": questions for part, questions in asked.items()}
    for part, generators in (("corrector", data.seen), ("network", data.unseen)):
        whose = stream.integers(len(generators), size=len(asked[part]))
        answers = np.empty((len(whose), data.language.room), np.int64)
        for place, flaws in enumerate(generators.values()):
            rows = whose == place
            answers[rows] = worksheets.answered(stream, data.language, facts, asked[part][rows], flaws)
        found[f"answers.{part}"] = answers
    for name, flaws in {**data.seen, **data.unseen}.items():
        found[f"test.{name}"] = worksheets.answered(stream, data.language, facts, asked["test"], flaws)
    return found
