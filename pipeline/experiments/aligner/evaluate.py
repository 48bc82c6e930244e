"""Measure answers before and after correction, and those of the strong model's students."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.parallel import Pool
from pipeline.experiments.aligner.settings import DECODINGS, MODEL, Settings, passes, recipes, students
from pipeline.experiments.refined import means, row
from pipeline.models import worksheets
from pipeline.summary.metrics import nested

Array = np.ndarray
KEYS = ("method", "n_train", "warmup", "iteration", "beta", "upstream", "decoding")
ESTIMATES = ("transformers pretrained and finetuned with torch, where rounding grows",)
CONTROLS = ("random", "identity", "untuned", "likeliest", "gold")
SCORES = ("helpful", "harmless", "helpful_improvement", "harmless_improvement")


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Cells: each small network on each upstream (panel `corrector`), each student (panel `student`).

    An answer's error is what its two scores miss, so that gain and misfit speak of both.
    """
    cells = pd.concat([*of_correctors(settings, upstream), *of_students(settings, upstream)], ignore_index=True)
    level = settings.evaluate.confidence
    metrics = nested(cells, "seed", ("panel", "method"), lambda members: means(members, SCORES, level))
    return {"cells": cells, "metrics": metrics}


def of_correctors(settings: Settings, upstream: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Rows of each seed, small network, upstream and iteration; before, and the teacher: the upstream's answer."""
    for seed in settings.data.seeds:
        own, compare = upstream["data"][f"seed-{seed}"], comparison(seed, settings, upstream)
        origins = dict.fromkeys(settings.data.seen, "seen") | dict.fromkeys(settings.data.unseen, "unseen")
        for recipe in recipes(settings.weak):
            made = upstream["weak"][f"seed-{seed}.{recipe.name}"]
            known = {"panel": "corrector", "seed": seed, "n_train": recipe.size, "warmup": recipe.warmup}
            for name, origin in {**origins, MODEL: MODEL}.items():
                before = upstream["represent"][f"seed-{seed}"]["test.sampled"] if name == MODEL else own[f"test.{name}"]
                for iteration in passes(recipe, settings.weak):
                    cells = compare(before, made[f"{name}.{iteration}"], recipe.method)
                    yield cells.assign(**known, upstream=name, origin=origin, iteration=iteration, decoding="greedy")


def of_students(settings: Settings, upstream: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Rows of each seed, student and decoding; before: the strong model's own answer; the teacher: its correction."""
    for seed in settings.data.seeds:
        compare, source = comparison(seed, settings, upstream), upstream["represent"][f"seed-{seed}"]
        corrections = upstream["weak"][f"seed-{seed}.{recipes(settings.weak)[0].name}"]
        known = {"panel": "student", "seed": seed, "n_train": settings.data.student, "upstream": MODEL, "origin": MODEL}
        for name in ("untuned.", *students(settings)):
            method, _, size = name.partition(".")
            made = source if method == "untuned" else upstream["strong"][f"seed-{seed}.{name}"]
            own: dict[str, Any] = {"iteration": int(size)} if method == "corrected" else {}
            own |= {"beta": float(size)} if method == "dpo" else {}
            for decoding in DECODINGS:
                ceiling = upstream["strong"][f"seed-{seed}.gold."][f"test.{decoding}"]
                told = corrections[f"{MODEL}.{own.get('iteration', 1)}"]
                cells = compare(source[f"test.{decoding}"], made[f"test.{decoding}"], method, told, ceiling)
                yield cells.assign(**known, **own, decoding=decoding)


def comparison(seed: int, settings: Settings, upstream: Mapping[str, Any]) -> Callable[..., pd.DataFrame]:
    """A function that compares answers to the test questions of a seed."""
    language, own = settings.data.language, upstream["data"][f"seed-{seed}"]
    facts, questions = own["facts"], own["questions.test"]
    right = worksheets.right(language, facts, questions)

    def scores(answers: Array) -> Array:
        return worksheets.scores(language, facts, questions, answers)

    def compare(
        before: Array, after: Array, method: str, teacher: Array | None = None, ceiling: Array = right
    ) -> pd.DataFrame:
        teacher = before if teacher is None else teacher
        trio = (scores(each) for each in (teacher, after, ceiling))
        told = row(*trio).rename(columns={"content": "helpful", "style": "harmless"}).drop(columns="excess_risk")
        changes = improved(scores(before), scores(after))
        unchanged, was_right = (before == after).all(axis=1), (before == right).all(axis=1)
        kept = unchanged[was_right].mean() if was_right.any() else np.nan
        righted = (after == right)[~was_right].all(axis=1).mean() if (~was_right).any() else np.nan
        known = {"method": method, "control": method if method in CONTROLS else np.nan}
        return told.assign(**known, **changes, kept=kept, righted=righted)

    return compare


def improved(before: Array, after: Array) -> dict[str, float]:
    """Scores before, and improvements, from scores (2, n) of answers to the same questions before and after.

    The improvement on an axis is the share of answers that score higher after, less the share that score lower.
    """
    improvement = np.sign(after - before).mean(axis=1)
    worse = np.mean(after[0] < before[0])
    return {
        "helpful_before": float(before[0].mean()),
        "harmless_before": float(before[1].mean()),
        "helpful_improvement": float(improvement[0]),
        "harmless_improvement": float(improvement[1]),
        "worsened": float(worse),
    }
