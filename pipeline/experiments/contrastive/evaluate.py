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
from pipeline.experiments.contrastive.rewards import best, grammar_of, parts
from pipeline.experiments.contrastive.settings import SHUFFLED, Settings, named
from pipeline.experiments.refined import means
from pipeline.measures import squared
from pipeline.models import alignment
from pipeline.models.sequences import Sequences
from pipeline.summary.metrics import nested

Array = np.ndarray
KEYS = ("method", "noise", "alpha", "temperature")
ESTIMATES = ("transformers pretrained and aligned with torch, where rounding grows",)
SHOWN = ("reward", "fluency", "preferred", "implicit")
CONTROLS = {"untuned": "untuned", "weak_untuned": "untuned", "teacher": "teacher", "sampled": "teacher", "gold": "gold"}


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells, and means over seeds."""
    cells = pd.DataFrame([row for seed, noise in settings.units() for row in scored(seed, noise, settings, upstream)])
    level = settings.evaluate.confidence
    told = cells.assign(alpha=cells["alpha"].map("{:g}".format), temperature=cells["temperature"].map("{:g}".format))
    keys = ("noise", "method", "alpha", "temperature")
    return {"cells": cells, "metrics": nested(told, "seed", keys, lambda members: means(members, SHOWN, level))}


def scored(seed: int, noise: float, settings: Settings, upstream: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of one seed and noise."""
    drawn, prompt = upstream["data"][f"seed-{seed}"], settings.data.prompt
    language, truth = grammar_of(drawn), best(grammar_of(drawn), drawn["test"], settings.data)
    models = [
        loaded(seed, "weak", settings, arrays)
        for arrays in (upstream["weak"][named(seed, noise)], upstream["represent"][f"seed-{seed}.weak"])
    ]
    made = {**upstream["strong"][named(seed, noise)], **upstream["strong"][f"seed-{seed}.alone"]}

    def reward(name: str) -> Array:
        fluency, preferred = parts(language, made[f"tokens.{name}"], settings.data)
        return (fluency + settings.data.weight * preferred)[None]

    for name in sorted(key.removeprefix("tokens.") for key in made if key.startswith("tokens.")):
        tokens = made[f"tokens.{name}"]
        own, implied = reward(name)[0], implicit(models, tokens, prompt)
        fluency, preferred = parts(language, tokens, settings.data)
        columns = squared.measure(truth, reward("teacher."), own[None], reward("gold."), np.array([np.nan]))
        yield {
            **{column: values[0] for column, values in columns.items()},
            **told(name, settings.labels.temperature),
            **({"control": "shuffled"} if noise == SHUFFLED else {}),
            "seed": seed,
            "noise": noise,
            "reward": own.mean(),
            "regret": (truth - own).mean(),
            "fluency": fluency.mean(),
            "preferred": preferred.mean(),
            "implicit": implied.mean(),
            "rank_correlation": stats.spearmanr(implied, own).statistic,
            "kl": made[f"kl.{name}"].mean() if f"kl.{name}" in made else np.nan,
            "dataset": "grammar",
            "weak": "aligned",
            "strong": "transformer",
            "head": "finetuned",
            "task": 0,
            "n_train": settings.data.train,
            "n_eval": len(tokens),
        }


def implicit(models: list[Sequences], tokens: Array, prompt: int) -> Array:
    """Implicit reward over its factor: log(aligned weak / weak before) a token, (count,), of strings."""
    after, before = (alignment.fixed(model, tokens, prompt).mean(dim=1).numpy() for model in models)
    return after - before


def told(name: str, temperature: float) -> dict[str, Any]:
    """What a name `<method>.<size>` says: the size is an alpha, of plain sampling the temperature."""
    method, _, size = name.partition(".")
    cooler = method == "sampled"
    return {
        "method": method,
        "control": CONTROLS.get(method, np.nan),
        "alpha": float(size) if size and not cooler else np.nan,
        "temperature": float(size) if cooler else temperature,
    }
