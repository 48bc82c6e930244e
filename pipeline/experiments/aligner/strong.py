"""Finetune the strong model on corrections, on its own answers, and on pairs of both."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.aligner.networks import answers_of, finetune, strong_network
from pipeline.experiments.aligner.settings import Settings, students
from pipeline.models import alignment, sequences, worksheets


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Answers (n, room) of each student to the test questions, `<seed>.<student>`; see ``tune``."""
    bundles = (settings, *(upstream[verb] for verb in ("data", "represent", "labels")))
    units = {f"seed-{s}.{name}": (s, name, *bundles) for s in settings.data.seeds for name in students(settings)}
    return pool.map(tune, units)


def tune(
    seed: int,
    name: str,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
) -> Arrays:
    """`test.sampled` and `test.greedy` of the strong model after finetuning; DPO prefers corrections to raw answers."""
    own, told, language = data[f"seed-{seed}"], labels[f"seed-{seed}"], settings.data.language
    model = strong_network(seed, settings)
    sequences.load(model, represent[f"seed-{seed}"])
    prompts, stream = language.asked(own["questions.student"]), streams.generator(seed, "aligner/finetuning")
    method, _, size = name.partition(".")
    if method == "dpo":
        changed = (told["corrected.1"] != told["raw"]).any(axis=1)  # an answer is not preferred to itself
        if not changed.any():
            raise InputError(
                "{where}: the corrector changes no answer, so that nothing is preferred; raise weak.training"
            )
        chosen, rejected = (np.concatenate([prompts, told[kind]], axis=1)[changed] for kind in ("corrected.1", "raw"))
        training = settings.strong.training
        alignment.dpo(model, chosen, rejected, prompts.shape[1], float(size), training, stream)
    else:
        right = worksheets.right(language, own["facts"], own["questions.student"])
        wanted = right if method == "gold" else told[name.rstrip(".")]
        finetune(model, prompts, lambda step: wanted, stream, settings.strong.training)
    return answers_of(seed, model, language, own["questions.test"])
