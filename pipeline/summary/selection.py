"""Which weak model to learn from?  Regret of the selection rules on each molecule set, and the paper's own table."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.config import Intervals
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.molecules import full_labels
from pipeline.summary.tables import Tables
from pipeline.summary.words import DATASETS, written
from pipeline.theory import selection

# A's table reads the rule off the test molecules; a practitioner has the validation part.
SAMPLES = {"test": "", "valid": "valid_"}
PAPER = "smallest_difference"


def figure(tables: Tables, settings: Intervals) -> dict[str, Any]:
    """Regret of every rule by data set, sample and split, with means over splits; candidates are the SMILES ladder."""
    cells = full_labels(tables["molecules"]).query("ladder == 'smiles'")
    head, inputs = cells["head"].iloc[0], cells["inputs"].iloc[0]
    cells = cells[(cells["head"] == head) & (cells["inputs"] == inputs)]
    datasets = [_dataset(str(name), group, settings.confidence) for name, group in cells.groupby("dataset", sort=False)]
    rules = [{"rule": name, "needs": rule.needs, "meaning": rule.meaning} for name, rule in selection.RULES.items()]
    return plain(
        {
            "reading": _reading(datasets),
            "head": head,
            "inputs": inputs,
            "confidence": settings.confidence,
            "rules": rules,
            "datasets": datasets,
        }
    )


def regret(cells: pd.DataFrame, rule: str, sample: str) -> float:
    """Regret of a rule on the candidates in ``cells`` (one data set, split and seed), in squared label units."""
    prefix = SAMPLES[sample]
    chosen = selection.choose(
        rule,
        selection.candidates(
            cells[f"{prefix}weak_error"], cells[f"{prefix}student_error"], cells[f"{prefix}misfit"], cells["weak_size"]
        ),
    )
    return selection.regret(cells["student_error"], chosen)


def by_draw(cells: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Candidates that compete with each other: those of one data set, split and seed of pretraining."""
    for _, group in cells.groupby(["dataset", "split", "seed"], sort=False):
        yield group


def _dataset(name: str, cells: pd.DataFrame, confidence: float) -> dict[str, Any]:
    splits = [(str(split), list(by_draw(group))) for split, group in cells.groupby("split")]
    by_lot = [
        float(np.mean([selection.expected_regret_at_random(draw["student_error"]) for draw in draws]))
        for _, draws in splits
    ]
    return {
        "dataset": name,
        "splits": [split for split, _ in splits],
        "by_lot": over_units("regret", by_lot, confidence),
        "best_student_error": over_units(
            "error", [min(_mean(draws, "student_error")) for _, draws in splits], confidence
        ),
        "regrets": [_regrets(rule, sample, splits, confidence) for rule in selection.RULES for sample in SAMPLES],
        "table": _table(cells),
    }


def _regrets(rule: str, sample: str, splits: list[tuple[str, list[pd.DataFrame]]], confidence: float) -> dict[str, Any]:
    values = [float(np.mean([regret(draw, rule, sample) for draw in draws])) for _, draws in splits]
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {
        "rule": rule,
        "sample": sample,
        "values": values,
        "spread": spread,
        "mean": over_units("regret", values, confidence),
    }


def _table(cells: pd.DataFrame) -> list[dict[str, Any]]:
    """A's table: for each weak model (weak error - misfit) and the student's error, mean and deviation over splits."""
    rows = []
    for size, group in cells.assign(difference=cells["weak_error"] - cells["misfit"]).groupby("weak_size"):
        splits = group.groupby("split")[["difference", "student_error", "weak_error", "misfit"]].mean()
        rows.append(
            {
                "size": int(size),
                **{f"{name}": {"mean": splits[name].mean(), "deviation": splits[name].std()} for name in splits},
            }
        )
    return rows


def _mean(draws: list[pd.DataFrame], column: str) -> list[float]:
    return np.mean([draw.sort_values("weak_size")[column] for draw in draws], axis=0).tolist()


def _reading(datasets: list[dict[str, Any]]) -> str:
    texts = []
    for item in datasets:
        paper = next(entry for entry in item["regrets"] if (entry["rule"], entry["sample"]) == (PAPER, "test"))
        texts.append(f"{DATASETS[item['dataset']]} {written(plain(paper['mean']))} (by lot {item['by_lot'].value:.2f})")
    return f"Regret of the smallest (weak error - misfit), squared label units: {', '.join(texts)}."
