"""Finetune students of the strong model.  What each writes at the test prompts, and how far it is from the un-tuned.

An item a seed and noise, and one a seed for what has no weak teacher: `tokens.<method>.<alpha>` (test, positions) and
`kl.<method>.<alpha>` (test,); see ``answers``.  Pairs of DPO are kept to be scored, `pairs.<method>.<end>` (0: chosen).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.contrastive.represent import loaded
from pipeline.experiments.contrastive.rewards import grammar_of, reward
from pipeline.experiments.contrastive.settings import Settings, named
from pipeline.experiments.contrastive.weak import prefer
from pipeline.models import alignment, decoding, sequences
from pipeline.models.sequences import Sequences

Array = np.ndarray
FIRST = {"cong": "cong_s", "cong_cooled": "cong_s_cooled", "cong_true": "cong_s"}  # with whom each DPO begins


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students of every seed and noise; the un-tuned model and the ceiling of every seed."""
    own = (settings, upstream["data"], upstream["represent"])
    taught = pool.map(
        teach, {named(seed, noise): (seed, noise, *own, upstream["labels"]) for seed, noise in settings.units()}
    )
    alone = pool.map(untaught, {f"seed-{seed}.alone": (seed, *own) for seed in settings.data.seeds})
    return {**taught, **alone}


def teach(
    seed: int,
    noise: float,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
) -> Arrays:
    """Weak-SFT, the confidence loss, WSPO, ConG-S, ConG, at one noise variants; beside them what is to be scored."""
    known, own, prompt = labels[named(seed, noise)], settings.strong, settings.data.prompt
    source = represent[f"seed-{seed}.strong"]

    def order() -> np.random.Generator:
        return streams.generator(seed, "contrastive/finetuning")  # of rows, the same for all students

    def imitating(tokens: Array, trust: float = 0.0) -> Sequences:
        student = loaded(seed, "strong", settings, source)
        alignment.imitate(student, tokens, prompt, trust, own.imitation, order())
        return student

    students = {
        "weak_sft.": imitating(known["weak"]),
        "confidence.": imitating(known["weak"], own.confidence),
        "wspo.": loaded(seed, "strong", settings, source),
    }
    alignment.wspo(students["wspo."], known["weak"], known["ratio"], prompt, own.wspo_beta, own.wspo, order())
    default, varied = f"{settings.labels.alpha:g}", noise == own.noise
    for alpha in settings.labels.taught:
        if varied or alpha == settings.labels.alpha:
            students[f"cong_s.{alpha:g}"] = imitating(known[f"decoded.{alpha:g}"])
    pairs = {"cong": own_pairs(seed, students[f"cong_s.{default}"], known[f"decoded.{default}"], settings)}
    if varied:
        students["weak_sft_cold."] = imitating(known["cold"])
        cooled = students[f"cong_s_cooled.{default}"] = imitating(known[f"cooled.{default}"])
        pairs["cong_cooled"] = own_pairs(seed, cooled, known[f"cooled.{default}"], settings)
        pairs["cong_true"] = by_truth(*pairs["cong"], settings, data[f"seed-{seed}"])
    for method, (chosen, rejected) in pairs.items():
        first = students[f"{FIRST[method]}.{default}"]
        student = students[f"{method}.{default}"] = loaded(seed, "strong", settings, sequences.weights(first))
        stream = streams.generator(seed, "contrastive/preference")
        alignment.dpo(student, chosen, rejected, prompt, own.beta, own.preference, stream)
    found = {f"pairs.{method}.{end}": both[end] for method, both in pairs.items() for end in (0, 1)}
    found |= {name: tokens for name, tokens in known.items() if name.startswith("tokens.")}
    return {**found, **answers(seed, students, settings, data, source)}


def own_pairs(seed: int, first: Sequences, decoded: Array, settings: Settings) -> tuple[Array, Array]:
    """ConG's pairs (count, positions): chosen are decoded strings, rejected what ConG-S writes at the same prompts."""
    prompt, stream = settings.data.prompt, streams.generator(seed, "contrastive/rejected")
    score, temperature = decoding.Reader(first), settings.labels.temperature
    written = decoding.written(score, decoded[:, :prompt], settings.data.length, temperature, stream)
    rows = (decoded != written).any(axis=1)
    return decoded[rows], written[rows]


def by_truth(chosen: Array, rejected: Array, settings: Settings, drawn: Mapping[str, Array]) -> tuple[Array, Array]:
    """The same pairs, turned where the true reward says so: what ConG could make of them (a control)."""
    rewards = [reward(grammar_of(drawn), tokens, settings.data) for tokens in (chosen, rejected)]
    right = (rewards[0] >= rewards[1])[:, None]
    return np.where(right, chosen, rejected), np.where(right, rejected, chosen)


def untaught(seed: int, settings: Settings, data: Mapping[str, Arrays], represent: Mapping[str, Arrays]) -> Arrays:
    """The un-tuned strong model, and the ceiling: aligned by DPO on its own samples, ranked by the true reward."""
    source = represent[f"seed-{seed}.strong"]
    students = {"untuned.": loaded(seed, "strong", settings, source), "gold.": loaded(seed, "strong", settings, source)}
    prefer(seed, "strong", students["gold."], 0.0, settings.strong.gold, settings, data[f"seed-{seed}"])
    return answers(seed, students, settings, data, source)


def answers(
    seed: int,
    students: Mapping[str, Sequences],
    settings: Settings,
    data: Mapping[str, Arrays],
    source: Mapping[str, Array],
) -> Arrays:
    """What students write at the test prompts, all with the same random numbers.

    KL: of next tokens, student to un-tuned model, a mean over the places of each string that the student wrote.
    """
    before, found = loaded(seed, "strong", settings, source), {}
    prompts, length, temperature = data[f"seed-{seed}"]["test"], settings.data.length, settings.labels.temperature
    for name, student in students.items():
        stream = streams.generator(seed, "contrastive/labels/test")
        tokens = decoding.written(decoding.Reader(student), prompts, length, temperature, stream)
        with torch.no_grad():
            own, other = (alignment.log_softmax(model, tokens, prompts.shape[1]) for model in (student, before))
        kl = (own.exp() * (own - other)).sum(dim=-1).mean(dim=-1)
        found |= {f"tokens.{name}": tokens, f"kl.{name}": kl.numpy()}
    return found
