"""Pretrain the strong model on answers of generators that the corrector never sees."""

from collections.abc import Mapping
from typing import Any

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.aligner.networks import answers_of, finetune, sampled, strong_network
from pipeline.experiments.aligner.settings import Settings
from pipeline.models import sequences


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By seed the strong model, pretrained on flawed answers; see ``pretrain``."""
    return pool.map(pretrain, {f"seed-{seed}": (seed, settings, upstream["data"]) for seed in settings.data.seeds})


def pretrain(seed: int, settings: Settings, data: Mapping[str, Arrays]) -> Arrays:
    """Weights; `student`: an answer drawn to each of the student's questions; `test.<decoding>`."""
    own, language, model = data[f"seed-{seed}"], settings.data.language, strong_network(seed, settings)
    stream = streams.generator(seed, "aligner/pretraining")
    training, answers = settings.represent.training, own["answers.network"]
    finetune(model, language.asked(own["questions.network"]), lambda step: answers, stream, training)
    spoken = answers_of(seed, model, language, own["questions.test"])
    drawn = sampled(model, language.asked(own["questions.student"]), language.room, stream)
    return {**sequences.weights(model), "student": drawn, **spoken}
