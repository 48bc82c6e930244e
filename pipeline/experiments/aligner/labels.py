"""Correct what the strong model answers to the student's questions."""

from collections.abc import Mapping
from typing import Any

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.aligner.networks import corrected, greedy, small_network, strong_network
from pipeline.experiments.aligner.settings import Settings, recipes
from pipeline.models import sequences


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """By seed answers (n, room) to the student's questions; see ``relabel``."""
    bundles = (settings, *(upstream[verb] for verb in ("data", "represent", "weak")))
    return pool.map(relabel, {f"seed-{seed}": (seed, *bundles) for seed in settings.data.seeds})


def relabel(
    seed: int,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
) -> Arrays:
    """`raw`: drawn from the strong model; `likeliest`: its likeliest; `corrected.<iteration>`, `random`: corrected."""
    questions, language = data[f"seed-{seed}"]["questions.student"], settings.data.language
    said = represent[f"seed-{seed}"]["student"]
    source, model, every = strong_network(seed, settings), small_network(seed, settings), recipes(settings.weak)
    sequences.load(source, represent[f"seed-{seed}"])
    found = {"raw": said, "likeliest": greedy(source, language.asked(questions), language.room)}
    (random,) = (recipe for recipe in every if recipe.method == "random")
    sequences.load(model, weak[f"seed-{seed}.{random.name}"])
    found["random"] = corrected(model, language, questions, said)
    sequences.load(model, weak[f"seed-{seed}.{every[0].name}"])
    for iteration in range(1, settings.labels.iterations + 1):
        said = corrected(model, language, questions, said)
        found[f"corrected.{iteration}"] = said
    return found
