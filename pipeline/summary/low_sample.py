"""Few labels: when is the small model the better teacher, and does gain still follow misfit with the roles swapped?"""

from typing import Any

import pandas as pd

from pipeline.core.config import Intervals
from pipeline.core.errors import InputError
from pipeline.summary.estimates import over_units_in_logs, plain, ratio_over_units
from pipeline.summary.tables import Tables
from pipeline.summary.words import DATASETS
from pipeline.theory.intervals import Estimate


def figure(tables: Tables, settings: Intervals) -> dict[str, Any]:
    """Errors of both models of each pair as teacher and as student, and gain/misfit both ways, by number of labels."""
    cells = tables["molecules"].query("regime == 'few'")
    pairs = [pair for pair in _pairs(cells) if not _between(cells, *pair).empty]
    if not pairs:
        raise InputError(
            "results/molecules/cells.csv has no teachers with few labels; give molecules.weak.few_labels.counts in "
            "params.yaml and run `dvc repro`"
        )
    datasets = [
        {"dataset": str(name), "pairs": [_pair(group, *pair, settings.confidence) for pair in pairs]}
        for name, group in cells.groupby("dataset", sort=False)
    ]
    return plain({"reading": _reading(datasets), "confidence": settings.confidence, "datasets": datasets})


def _pairs(cells: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Small model, large model, training: the smallest SMILES transformer with the strong model, with the largest."""
    smiles = cells[cells["ladder"] == "smiles"].drop_duplicates("weak").sort_values("weak_size")["weak"].to_list()
    strong = cells.loc[cells["ladder"] == "strong", "weak"].unique().tolist()
    pairs = [(smiles[0], name, "frozen") for name in strong[:1] if smiles]
    return pairs + ([(smiles[0], smiles[-1], "finetuned")] if len(smiles) > 1 else [])


def _between(cells: pd.DataFrame, small: str, large: str, training: str) -> pd.DataFrame:
    both = [small, large]
    return cells[cells["weak"].isin(both) & cells["strong"].isin(both) & (cells["training"] == training)]


def _pair(cells: pd.DataFrame, small: str, large: str, training: str, confidence: float) -> dict[str, Any]:
    chosen = _between(cells, small, large, training)
    counts = sorted(int(count) for count in chosen["n_train"].unique())
    teaches = {"small": chosen[chosen["weak"] == small], "large": chosen[chosen["weak"] == large]}
    taught = {"small": teaches["large"], "large": teaches["small"]}
    errors = {
        "teacher": {model: _by_count(member, "weak_error", counts, confidence) for model, member in teaches.items()},
        "student": {model: _by_count(member, "student_error", counts, confidence) for model, member in taught.items()},
    }
    ratios = {f"{model}_teaches": _ratios(member, counts, confidence) for model, member in teaches.items()}
    worse = [
        large_error.value > small_error.value
        for small_error, large_error in zip(*errors["teacher"].values(), strict=True)
    ]
    return {
        "small": small,
        "large": large,
        "training": training,
        "counts": counts,
        **errors,
        "gain_over_misfit": ratios,
        "large_is_worse": worse,
    }


def _by_count(cells: pd.DataFrame, column: str, counts: list[int], confidence: float) -> list[Estimate]:
    # A few diverging fits make errors span decades, so means and intervals are taken on the log scale.
    return [
        over_units_in_logs(cells[cells["n_train"] == count].groupby("split")[column].mean().to_list(), confidence)
        for count in counts
    ]


def _ratios(cells: pd.DataFrame, counts: list[int], confidence: float) -> list[Estimate]:
    by_split = [cells[cells["n_train"] == count].groupby("split")[["gain", "misfit"]].mean() for count in counts]
    return [ratio_over_units(splits["gain"], splits["misfit"], confidence) for splits in by_split]


def _reading(datasets: list[dict[str, Any]]) -> str:
    texts = []
    for place, pair in enumerate(datasets[0]["pairs"]):
        worse = []
        for item in datasets:
            drawn = item["pairs"][place]
            counts = [
                str(count) for count, swapped in zip(drawn["counts"], drawn["large_is_worse"], strict=True) if swapped
            ]
            where = f"at {', '.join(counts)} labels" if counts else "never"
            worse.append(f"{DATASETS[item['dataset']]} {where}")
        texts.append(
            f"{pair['large']} is the worse teacher than {pair['small']} ({pair['training']}): {'; '.join(worse)}"
        )
    return ". ".join(texts) + "."
