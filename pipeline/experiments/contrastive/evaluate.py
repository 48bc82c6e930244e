"""Score what every method writes at the test prompts.  A row a seed, noise, method and alpha.

Errors are mean squared regrets: what the best string after the same prompt has more of the true reward.  The teacher
of all students is the aligned weak model, sampled plainly.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.core.parallel import Pool
from pipeline.experiments.contrastive.represent import loaded
from pipeline.experiments.contrastive.rewards import best, grammar_of, parts, reward
from pipeline.experiments.contrastive.settings import SHUFFLED, Settings, named
from pipeline.experiments.refined import means
from pipeline.measures import squared
from pipeline.models import alignment
from pipeline.models.grammar import Grammar
from pipeline.models.sequences import Sequences
from pipeline.summary.metrics import nested

Array = np.ndarray
KEYS = ("method", "noise", "alpha", "temperature")
ESTIMATES = ("transformers pretrained and aligned with torch, where rounding grows",)
SHOWN = ("reward", "fluency", "preferred", "implicit")
CONTROLS = {"untuned": "untuned", "weak_untuned": "untuned", "gold": "gold", "cong_true": "gold"}


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells, and means over seeds."""
    cells = pd.DataFrame([row for seed, noise in settings.units() for row in scored(seed, noise, settings, upstream)])
    level = settings.evaluate.confidence
    told = cells.assign(alpha=cells["alpha"].map("{:g}".format), temperature=cells["temperature"].map("{:g}".format))
    keys = ("noise", "method", "alpha", "temperature")
    return {"cells": cells, "metrics": nested(told, "seed", keys, lambda members: means(members, SHOWN, level))}


def scored(seed: int, noise: float, settings: Settings, upstream: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of one seed and noise."""
    drawn, data = upstream["data"][f"seed-{seed}"], settings.data
    language, truth = grammar_of(drawn), best(grammar_of(drawn), drawn["test"], data)
    models = [
        loaded(seed, "weak", settings, arrays)
        for arrays in (upstream["weak"][named(seed, noise)], upstream["represent"][f"seed-{seed}.weak"])
    ]
    made = {**upstream["strong"][named(seed, noise)], **upstream["strong"][f"seed-{seed}.alone"]}
    written = {key.removeprefix("tokens."): made[key] for key in sorted(made) if key.startswith("tokens.")}
    rewards = {name: reward(language, tokens, data) for name, tokens in written.items()}
    teacher, ceiling = rewards[f"sampled.{settings.labels.temperature:g}"], rewards["gold."]
    for name, tokens in written.items():
        own, implied = rewards[name], implicit(models, tokens, data.prompt)
        fluency, preferred = parts(language, tokens, data)
        columns = squared.measure(truth, *(each[None] for each in (teacher, own, ceiling)), np.array([np.nan]))
        yield {
            **{column: values[0] for column, values in columns.items()},
            **told(name, noise, settings.labels.temperature),
            "seed": seed,
            "reward": own.mean(),
            "regret": (truth - own).mean(),
            "fluency": fluency.mean(),
            "preferred": preferred.mean(),
            "implicit": implied.mean(),
            "rank_correlation": stats.spearmanr(implied, own).statistic,
            "kl": made[f"kl.{name}"].mean() if f"kl.{name}" in made else np.nan,
            "pairs_right": pairs_right(name.partition(".")[0], made, settings, language),
            "dataset": "grammar",
            "weak": "aligned",
            "strong": "transformer",
            "head": "finetuned",
            "task": 0,
            "n_train": data.student,
            "n_eval": len(tokens),
        }


def pairs_right(method: str, made: Mapping[str, Array], settings: Settings, language: Grammar) -> float:
    """Share of a method's pairs whose chosen string has more true reward than the rejected; NaN where it has none."""
    if f"pairs.{method}.0" not in made:
        return np.nan
    chosen, rejected = (reward(language, made[f"pairs.{method}.{end}"], settings.data) for end in (0, 1))
    return float((chosen > rejected).mean())


def implicit(models: list[Sequences], tokens: Array, prompt: int) -> Array:
    """Implicit reward (count,) of strings: log(aligned weak / weak before) a token, without DPO's factor."""
    after, before = (alignment.fixed(model, tokens, prompt).mean(dim=1).numpy() for model in models)
    return after - before


def told(name: str, noise: float, temperature: float) -> dict[str, Any]:
    """What a name `<method>.<size>` says: the size is an alpha, of plain sampling the temperature."""
    method, _, size = name.partition(".")
    sampled = method == "sampled"
    factor = float(size) if method == "cooled" else 1.0
    return {
        "method": method,
        "noise": noise,
        "control": "shuffled" if noise == SHUFFLED else CONTROLS.get(method, np.nan),
        "alpha": float(size) if size and not sampled else np.nan,
        "temperature": float(size) if sampled else factor * temperature,
    }
