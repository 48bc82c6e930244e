"""Train the correctors, and direct answerers of the same size, and let them work on all upstream answers."""

from collections.abc import Mapping
from typing import Any

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.aligner.networks import corrected, finetune, greedy, small_network
from pipeline.experiments.aligner.settings import MODEL, Recipe, Settings, passes, recipes
from pipeline.models import sequences, worksheets


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Small networks, `<seed>.<recipe>`; see ``learn``."""
    bundles, every = (settings, upstream["data"], upstream["represent"]), recipes(settings.weak)
    return pool.map(learn, {f"seed-{s}.{r.name}": (s, r, *bundles) for s in settings.data.seeds for r in every})


def learn(
    seed: int,
    recipe: Recipe,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
) -> Arrays:
    """Weights; corrections (n, room) of the answers to the test questions, `<upstream>.<iteration>`."""
    own, language, model = data[f"seed-{seed}"], settings.data.language, small_network(seed, settings)
    questions, answers = (own[f"{kind}.corrector"][: recipe.size] for kind in ("questions", "answers"))
    asked = questions
    if recipe.method == "random":  # corrections of other questions
        asked = questions[streams.generator(seed, "aligner/random").permutation(len(questions))]
    wanted, training = worksheets.right(language, own["facts"], asked), settings.weak.training
    copied = training.steps if recipe.method == "identity" else round(recipe.warmup * training.steps)
    direct = recipe.method == "direct"
    prompts = language.asked(questions) if direct else language.to_correct(questions, answers)
    stream = streams.generator(seed, "aligner/small")
    finetune(model, prompts, lambda step: answers if step < copied else wanted, stream, training)
    tests = {name: own[f"test.{name}"] for name in (*settings.data.seen, *settings.data.unseen)}
    tests[MODEL] = represent[f"seed-{seed}"]["test.sampled"]
    found = sequences.weights(model)
    if direct:
        said = greedy(model, language.asked(own["questions.test"]), language.room)
        return found | {f"{name}.1": said for name in tests}
    for name, said in tests.items():
        for iteration in passes(recipe, settings.weak):
            said = corrected(model, language, own["questions.test"], said)
            found[f"{name}.{iteration}"] = said
    return found
