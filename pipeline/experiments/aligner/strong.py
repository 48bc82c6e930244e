"""Finetune the strong model on corrections, on its own answers, and on pairs of both."""

from collections.abc import Mapping
from typing import Any

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.aligner.networks import answers_of, strong_network
from pipeline.experiments.aligner.settings import Settings, students
from pipeline.models import completions, sequences, worksheets


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
    model, source = (strong_network(seed, settings) for _ in range(2))
    for each in (model, source):
        sequences.load(each, represent[f"seed-{seed}"])
    questions, stream = own["questions.student"], streams.generator(seed, "aligner/finetuning")
    method, _, size = name.partition(".")
    if method == "dpo":
        changed = (told["corrected.1"] != told["raw"]).any(axis=1)  # an answer is not preferred to itself
        if not changed.any():
            raise InputError(
                "{where}: the corrector changes no answer, so that nothing is preferred; raise weak.training"
            )
        prompts, chosen, rejected = (
            each[changed] for each in (language.asked(questions), told["corrected.1"], told["raw"])
        )
        completions.prefer(model, source, prompts, chosen, rejected, float(size), stream, settings.strong.training)
    else:
        right = worksheets.right(language, own["facts"], questions)
        wanted = right if method == "gold" else told[name.rstrip(".")]
        completions.finetune(model, language.asked(questions), lambda step: wanted, stream, settings.strong.training)
    return answers_of(seed, model, language, own["questions.test"])
