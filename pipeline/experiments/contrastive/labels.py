"""Write strings for the students: sampled from the aligned weak model, and decoded from it and the one before.

An item a seed and noise: strings (count, positions).  At the student's prompts `weak`, `decoded.<alpha>`, and `ratio`
(the weak log-ratio of each token of `weak`); at the test prompts, scored beside students, `tokens.<method>.<size>`.

`cooled`: the same decoding at alpha times the temperature.  The score is alpha (log p0 + log(p / p0) / alpha): a small
alpha strengthens the implicit reward and heats the base model; this leaves the base model at the temperature of all.

`cold`: plain samples at that lower temperature.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.contrastive.represent import loaded
from pipeline.experiments.contrastive.settings import Settings, named
from pipeline.models import alignment, decoding

Array = np.ndarray


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Strings of every seed and noise."""
    bundles = (settings, *(upstream[verb] for verb in ("data", "represent", "weak")))
    return pool.map(label, {named(seed, noise): (seed, noise, *bundles) for seed, noise in settings.units()})


def label(
    seed: int,
    noise: float,
    settings: Settings,
    data: Mapping[str, Arrays],
    represent: Mapping[str, Arrays],
    weak: Mapping[str, Arrays],
) -> Arrays:
    """Strings of one seed and noise; all that are written at a prompt share their random numbers."""
    own, drawn = settings.labels, data[f"seed-{seed}"]
    before = loaded(seed, "weak", settings, represent[f"seed-{seed}.weak"])
    after = loaded(seed, "weak", settings, weak[named(seed, noise)])

    def write(score: decoding.Score, part: str, temperature: float = own.temperature) -> Array:
        stream = streams.generator(seed, f"contrastive/labels/{part}")
        return decoding.written(score, drawn[part], settings.data.length, temperature, stream)

    def decode(part: str, alpha: float, temperature: float = own.temperature) -> Array:
        return write(decoding.contrastive(after, before, alpha, own.plausible), part, temperature)

    found = {"weak": write(decoding.Reader(after), "student")}
    logs = [alignment.fixed(model, found["weak"], settings.data.prompt) for model in (after, before)]
    found["ratio"] = (logs[0] - logs[1]).numpy()
    found |= {f"decoded.{alpha:g}": decode("student", alpha) for alpha in own.taught}
    cold = own.alpha * own.temperature
    found[f"cooled.{own.alpha:g}"] = decode("student", own.alpha, cold)
    found["cold"] = write(decoding.Reader(after), "student", cold)
    found |= {f"tokens.decoded.{alpha:g}": decode("test", alpha) for alpha in own.alphas}
    found |= {f"tokens.cooled.{a:g}": decode("test", a, a * own.temperature) for a in own.alphas if a > 0}
    found |= {
        f"tokens.sampled.{each:g}": write(decoding.Reader(after), "test", each) for each in (*own.temperatures, cold)
    }
    return {**found, "tokens.weak_untuned.": write(decoding.Reader(before), "test")}
