"""When does gain equal misfit?  gain/misfit of panel b against what the strong representation cannot reach."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.core.config import Intervals
from pipeline.summary.estimates import over_tasks, over_units, plain
from pipeline.summary.statistics import epsilon_over_weak_error, pooled_rho
from pipeline.summary.tables import Tables
from pipeline.theory.bounds import gain_over_misfit

STUDY = "published/realizability"
RHOS = (0.1, 0.3, 1.0)  # lines 1 - 2 rho sqrt(epsilon / misfit); 1 is the explicit bound


def realizability(tables: Tables, settings: Intervals) -> dict[str, Any]:
    """Points of the main cells and of the study, their means over seeds by schedule and epochs, and the bound."""
    main = tables["synthetic"].query("panel == 'pretrained'")
    main = main[(main["head"] == main["head"].iloc[0]) & (main["inputs"] == main["inputs"].iloc[0])]
    points = [_point(cells, "main", int(seed), settings) for seed, cells in main.groupby("seed")]
    grid = _grid(tables[STUDY], settings) if STUDY in tables else []
    numbers = {
        "reading": _reading(points, grid),
        "study_published": STUDY in tables,
        "confidence": settings.confidence,
        "main": points,
        "grid": grid,
        "over_seeds": _over_seeds(grid, settings.confidence),
        "curves": _curves([*points, *grid]),
    }
    return plain(numbers)


def _grid(study: pd.DataFrame, settings: Intervals) -> list[dict[str, Any]]:
    return [
        {"schedule": schedule, "epochs": int(epochs), **_point(cells, f"{schedule}-{epochs}", int(seed), settings)}
        for (schedule, epochs, seed), cells in study.groupby(["schedule", "epochs", "seed"])
    ]


def _point(cells: pd.DataFrame, name: str, seed: int, settings: Intervals) -> dict[str, Any]:
    return {
        "seed": seed,
        "gain_over_misfit": over_tasks("gain_over_misfit", cells, f"realizability.{name}.{seed}", settings),
        "epsilon_over_weak_error": epsilon_over_weak_error(cells),
        "epsilon_over_misfit": float(cells["epsilon"].mean() / cells["misfit"].mean()),
        "rho": pooled_rho(cells),
    }


def _over_seeds(grid: list[dict[str, Any]], confidence: float) -> list[dict[str, Any]]:
    ratios: dict[tuple[str, int], list[float]] = {}
    for point in grid:
        ratios.setdefault((point["schedule"], point["epochs"]), []).append(point["gain_over_misfit"].value)
    return [
        {"schedule": schedule, "epochs": epochs, **over_units("gain_over_misfit", values, confidence)._asdict()}
        for (schedule, epochs), values in sorted(ratios.items(), reverse=True)
    ]


def _curves(points: list[dict[str, Any]]) -> dict[str, Any]:
    highest = max(point["epsilon_over_misfit"] for point in points)
    reach = np.linspace(0, 1.05 * highest, 200)
    return {
        "epsilon_over_misfit": reach,
        "lines": [{"rho": rho, "gain_over_misfit": gain_over_misfit(rho, reach, np.ones_like(reach))} for rho in RHOS],
    }


def _reading(points: list[dict[str, Any]], grid: list[dict[str, Any]]) -> str:
    every = grid or points
    reach, ratios = zip(
        *((point["epsilon_over_weak_error"], point["gain_over_misfit"].value) for point in every), strict=True
    )
    source = (
        f"{len(grid)} pretrainings of the study" if grid else f"{len(points)} seeds; the study is not published yet"
    )
    if len(every) < 3:
        return f"{source}."
    ranks = stats.spearmanr(reach, ratios).statistic
    return f"Rank correlation of gain / misfit with epsilon / weak error {ranks:.2f} over {source}."
