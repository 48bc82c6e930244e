"""Figure 2 a-c of Charikar et al.: misfit against gain over tasks, for each seed, head and choice of inputs."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.config import Intervals
from pipeline.core.errors import InputError
from pipeline.summary.estimates import over_tasks, over_units, plain
from pipeline.summary.statistics import STATISTICS
from pipeline.summary.words import written

# The authors' protocol first: it is the figure; the others stand beside it.
PROTOCOLS = (("adamw", "reused"), ("adamw", "fresh"), ("exact", "reused"), ("exact", "fresh"))
DRAWN = ("correlation", "gain_over_misfit")
LISTED = (
    "mean_gain",
    "mean_misfit",
    "share_misfit_above_gain",
    "median_gap",
    "epsilon_over_weak_error",
    "pooled_rho",
    "share_above_bound",
)


def panel(cells: pd.DataFrame, name: str, settings: Intervals) -> dict[str, Any]:
    """Numbers of one panel: points, per-seed statistics with intervals over tasks, and their mean over seeds."""
    chosen = cells[cells["panel"] == name]
    groups = [
        _protocol(chosen[(chosen["head"] == head) & (chosen["inputs"] == inputs)], name, head, inputs, settings)
        for head, inputs in PROTOCOLS
        if ((chosen["head"] == head) & (chosen["inputs"] == inputs)).any()
    ]
    if not groups:
        raise InputError(f"results/synthetic/cells.csv has no cell of panel {name}; run `dvc repro evaluate@synthetic`")
    first = groups[0]
    drawn = chosen[(chosen["head"] == first["head"]) & (chosen["inputs"] == first["inputs"])]
    limits = axis_limits(drawn["gain"], drawn["misfit"])
    for group in groups:
        group["outside"] = sum(_outside(seed, limits) for seed in group["seeds"])
    numbers = {"panel": name, "reading": _reading(first), "confidence": settings.confidence}
    return plain({**numbers, "limits": limits, "protocols": groups})


def axis_limits(gain: Iterable[float], misfit: Iterable[float]) -> dict[str, tuple[float, float]]:
    """Ranges of both axes: all points, unless one lies further out than the central 96 % is wide.

    Exact heads can throw single tasks much further (rarely active units); those are counted, not drawn.
    """
    gain, misfit = np.asarray(list(gain)), np.asarray(list(misfit))
    both = np.concatenate([gain, misfit])
    low, high = np.quantile(both, [0.02, 0.98])
    span = high - low
    highest = min(both.max(), high + span)
    lowest = {"gain": min(0.0, max(gain.min(), low - span)), "misfit": 0.0}
    margin = 0.05 * (highest - lowest["gain"])
    return {axis: (float(end - margin), float(highest + margin)) for axis, end in lowest.items()}


def _protocol(cells: pd.DataFrame, name: str, head: str, inputs: str, settings: Intervals) -> dict[str, Any]:
    seeds = [
        _seed(member, f"{name}.{head}.{inputs}.{seed}", int(seed), settings) for seed, member in cells.groupby("seed")
    ]
    over_seeds = {
        statistic: over_units(statistic, [_value(seed[statistic]) for seed in seeds], settings.confidence)
        for statistic in (*DRAWN, *LISTED)
        if all(seed[statistic] is not None for seed in seeds)
    }
    return {"head": head, "inputs": inputs, "seeds": seeds, "over_seeds": over_seeds}


def _seed(cells: pd.DataFrame, name: str, seed: int, settings: Intervals) -> dict[str, Any]:
    return {
        "seed": seed,
        "tasks": len(cells),
        **{statistic: over_tasks(statistic, cells, name, settings) for statistic in DRAWN},
        **{statistic: _listed(statistic, cells) for statistic in LISTED},
        "gain": cells["gain"].to_list(),
        "misfit": cells["misfit"].to_list(),
    }


def _reading(protocol: dict[str, Any]) -> str:
    correlation, ratio = (written(plain(protocol["over_seeds"][statistic])) for statistic in DRAWN)
    seeds = len(protocol["seeds"])
    return f"Correlation of gain and misfit {correlation}, mean gain / mean misfit {ratio}, over {seeds} seeds."


def _listed(statistic: str, cells: pd.DataFrame) -> float | None:
    # rho is empty in the cells where nothing is unreachable (realizable panel).
    return None if statistic == "pooled_rho" and cells["rho"].isna().any() else STATISTICS[statistic](cells)


def _value(statistic: Any) -> float:
    return float(getattr(statistic, "value", statistic))


def _outside(seed: dict[str, Any], limits: dict[str, tuple[float, float]]) -> int:
    beyond = np.zeros(seed["tasks"], dtype=bool)
    for axis, (low, high) in limits.items():
        values = np.asarray(seed[axis])
        beyond |= (values < low) | (values > high)
    return int(beyond.sum())
