"""The figures of Yao et al. 2025: gain and misfit in KL, bounds, calibration, over-optimisation and noise."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.config import Intervals
from pipeline.summary.charikar import Figure
from pipeline.summary.classification import over_epochs
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.statistics import correlation, epsilon_over_weak_error, gain_over_misfit
from pipeline.summary.tables import Tables
from pipeline.summary.words import written

PANELS = ("realizable", "pretrained", "perturbed")
# Class and loss of each student, and the direction in which theory speaks of it.
STUDENTS = (
    ("mixture", "reverse_kl", "reverse"),
    ("softmax", "reverse_kl", "reverse"),
    ("softmax", "cross_entropy", "forward"),
)
ROLES = ("weak", "student", "ceiling")
LOSSES = ("cross_entropy", "reverse_kl")
DRAWN_TASKS = 20  # of each seed, where every task would blacken the figure


def kl_gain(tables: Tables, settings: Intervals) -> dict[str, Any]:
    """Gain and misfit of every task by student and panel; their ratio in both directions over seeds."""
    cells, panels = solved(tables["kl"]), []
    for family, loss, direction in STUDENTS:
        for panel in PANELS:
            chosen = cells[cells["panel"] == panel]
            own = _of(chosen, family, loss, direction)
            ratios = {
                name: _over("seed", _of(chosen, family, loss, name), gain_over_misfit, settings)
                for name in ("reverse", "forward")
            }
            seeds = [
                {
                    "seed": int(seed),
                    "gain": member["gain"].to_list(),
                    "misfit": member["misfit"].to_list(),
                    "correlation": correlation(member),
                    "gain_over_misfit": gain_over_misfit(member),
                    "epsilon_over_weak_kl": epsilon_over_weak_error(member),
                }
                for seed, member in own.groupby("seed")
            ]
            kind = {"class": family, "loss": loss, "direction": direction, "panel": panel}
            panels.append({**kind, "gain_over_misfit": ratios, "seeds": seeds, "limits": _limits(own)})
    first = panels[0]["gain_over_misfit"]["reverse"]
    reading = f"Convex class that holds the truth: mean gain / mean misfit {written(plain(first))} over seeds."
    return plain({"reading": reading, "confidence": settings.confidence, "panels": panels})


def bounds(tables: Tables, settings: Intervals) -> dict[str, Any]:
    """How much the student's KL differs from its teacher's against their disagreement, and both bounds."""
    groups = []
    for name, cells in (
        ("kl", solved(tables["kl"]).query("direction == 'forward'")),
        ("digits", last(tables["digits"])),
    ):
        constant, sharp = (_constant(cells, column) for column in ("bound", "sharp_bound"))
        drawn = cells[cells["task"] < DRAWN_TASKS]
        groups.append(
            {
                "experiment": name,
                "constant": constant,
                "sharp_constant": sharp,
                "disagreement": np.square(drawn["bound"] / constant).to_list(),
                "difference": (drawn["weak_kl"] - drawn["student_kl"]).abs().to_list(),
                "cells": len(cells),
                "share_within_bound": float(((cells["weak_kl"] - cells["student_kl"]).abs() <= cells["bound"]).mean()),
                "largest_tightness": float(cells["tightness"].max()),
                "largest_sharp_tightness": float(cells["sharp_tightness"].max()),
            }
        )
    used = max(group["largest_sharp_tightness"] for group in groups)
    reading = f"The bound holds in every cell; of the least possible one at most {used:.1%} is used."
    return plain({"reading": reading, "confidence": settings.confidence, "groups": groups})


def calibrations(tables: Tables, settings: Intervals) -> dict[str, Any]:
    """ECE of teacher, student and ceiling; changes of three calibration errors against the width of B-3."""
    bars = []
    for panel in PANELS:
        for family, loss, direction in STUDENTS:
            kl = solved(tables["kl"])
            chosen = _of(kl[kl["panel"] == panel], family, loss, direction)
            bars.append(
                {"experiment": "kl", "group": panel, "class": family, "loss": loss} | _ece("seed", chosen, settings)
            )
    digits = last(tables["digits"])
    for weak in dict.fromkeys(tables["digits"]["weak"]):
        for family, loss, direction in STUDENTS:
            chosen = _of(digits[digits["weak"] == weak], family, loss, direction)
            bars.append(
                {"experiment": "digits", "group": weak, "class": family, "loss": loss} | _ece("split", chosen, settings)
            )
    changes = [
        {
            "experiment": name,
            "width": cells["calibration_bound"].to_list(),
            "conditional": (cells["weak_conditional"] - cells["student_conditional"]).abs().to_list(),
            "marginal": (cells["weak_mce"] - cells["student_mce"]).abs().to_list(),
        }
        for name, cells in (
            ("kl", solved(tables["kl"]).query("direction == 'forward' and task < 5")),
            ("digits", digits),
        )
    ]
    refuted = tables["counterexample"].to_dict("records")
    reading = (
        f"The recalled bound fails in the counterexample (error {refuted[0]['student_error']:.2f} against width "
        f"{refuted[0]['width']:.3f}); the repaired one holds in every cell."
    )
    return plain(
        {
            "reading": reading,
            "confidence": settings.confidence,
            "bars": bars,
            "changes": changes,
            "counterexample": refuted,
        }
    )


def reliability(tables: Tables, settings: Intervals) -> dict[str, Any]:
    """Accuracy by confidence of teacher, student and ceiling; bins pooled over seeds or splits, intervals over them."""
    panels = []
    for experiment, unit in (("kl", "seed"), ("digits", "split")):
        diagrams = tables[f"{experiment}/reliability"]
        for weak in dict.fromkeys(diagrams["weak"]):
            chosen = diagrams[diagrams["weak"] == weak]
            roles = {role: _diagram(unit, chosen[chosen["role"] == role], settings) for role in ROLES}
            name = "network" if experiment == "kl" else weak
            panels.append({"experiment": experiment, "weak": name, "roles": roles})
    gaps = {panel["weak"]: {role: _ece_of(panel["roles"][role]) for role in ROLES} for panel in panels}
    less = sum(gap["student"] < gap["weak"] for gap in gaps.values())
    reading = f"Pooled, the student is closer to the diagonal than its teacher in {less} of {len(gaps)} settings."
    return plain({"reading": reading, "confidence": settings.confidence, "panels": panels, "pooled_ece": gaps})


def overoptimisation(tables: Tables, settings: Intervals) -> dict[str, Any]:
    """Accuracy, ECE and the weak losses along training on clean weak labels, and where weak validation would stop."""
    groups = []
    for experiment, unit, weak, cells in _curves(tables):
        clean = cells.query("noise == 0 and sharpening == 1")
        for loss in LOSSES:
            for rate in sorted(clean["lr"].unique(), reverse=True):
                chosen = clean[(clean["loss"] == loss) & (clean["lr"] == rate)]
                groups.append(
                    {"experiment": experiment, "weak": weak, "loss": loss, "lr": rate} | _curve(unit, chosen, settings)
                )
    worst = max(groups, key=lambda group: group["lost_by_early_stop"].value)
    cost = f"{worst['lost_by_early_stop'].value:.3f}"
    reading = f"Stopping on weak validation costs up to {cost} of accuracy against the best epoch ({worst['weak']})."
    return plain({"reading": reading, "confidence": settings.confidence, "groups": groups})


def noise(tables: Tables, settings: Intervals) -> dict[str, Any]:
    """Accuracy by label noise for forward cross-entropy and reverse KL, and their paired difference, at two epochs."""
    groups = []
    for experiment, unit, weak, cells in _curves(tables):
        noisy = cells[(cells["sharpening"] == 1) & (cells["lr"] == cells["lr"].max())]
        rates = sorted(noisy["noise"].unique())
        for stop in ("early", "last"):
            means = {
                (loss, rate): _stopped(unit, noisy[(noisy["loss"] == loss) & (noisy["noise"] == rate)], stop)
                for loss in LOSSES
                for rate in rates
            }
            accuracy = {
                loss: [over_units("accuracy", means[loss, rate], settings.confidence) for rate in rates]
                for loss in LOSSES
            }
            paired = [np.subtract(means["reverse_kl", rate], means["cross_entropy", rate]) for rate in rates]
            difference = [over_units("difference", values, settings.confidence) for values in paired]
            kind = {"experiment": experiment, "weak": weak, "stop": stop, "noise": rates}
            groups.append({**kind, "accuracy": accuracy, "reverse_minus_forward": difference})
    better = sum(value.low > 0 for group in groups for value in group["reverse_minus_forward"][1:])
    worse = sum(value.high < 0 for group in groups for value in group["reverse_minus_forward"][1:])
    total = sum(len(group["noise"]) - 1 for group in groups)
    reading = f"Of {total} noisy settings reverse KL is more accurate in {better}, less accurate in {worse}."
    return plain({"reading": reading, "confidence": settings.confidence, "groups": groups})


def solved(cells: pd.DataFrame) -> pd.DataFrame:
    """Students solved to their optimum, not those along a training curve."""
    return cells[cells["epoch"].isna()]


def last(cells: pd.DataFrame) -> pd.DataFrame:
    """Digits with clean labels and the widest representation: projections, and the last epoch at the first rate."""
    cells = cells[(cells["noise"] == 0) & (cells["sharpening"] == 1) & (cells["strong"] == widest(cells))]
    trained = (cells["epoch"] == cells["epoch"].max()) & (cells["lr"] == cells["lr"].max())
    return cells[trained | cells["epoch"].isna()]


def widest(cells: pd.DataFrame) -> str:
    """The strong representation with the most random features."""
    return max(cells["strong"].unique(), key=lambda name: int(name.rsplit("-", 1)[1]))


def _of(cells: pd.DataFrame, family: str, loss: str, direction: str) -> pd.DataFrame:
    return cells[(cells["class"] == family) & (cells["loss"] == loss) & (cells["direction"] == direction)]


def _curves(tables: Tables) -> Iterable[tuple[str, str, str, pd.DataFrame]]:
    """Experiment, unit of its intervals, teacher, and cells along training."""
    kl = tables["kl"]
    yield "kl", "seed", "network", kl[kl["epoch"].notna()]
    digits = tables["digits"]
    trained = digits[digits["epoch"].notna() & (digits["strong"] == widest(digits))]
    for weak in dict.fromkeys(trained["weak"]):
        yield "digits", "split", weak, trained[trained["weak"] == weak]


def _curve(unit: str, cells: pd.DataFrame, settings: Intervals) -> dict[str, Any]:
    curves = [over_epochs(member) for _, member in cells.groupby(unit)]
    columns = ("student_accuracy", "student_ece", "student_kl", "weak_objective", "weak_validation")
    along = {
        name: [over_units(name, values, settings.confidence) for values in np.stack([c[name] for c in curves], axis=1)]
        for name in columns
    }
    stops = [curve["weak_validation"].idxmin() for curve in curves]
    lost = [c["student_accuracy"].max() - c["student_accuracy"][stop] for c, stop in zip(curves, stops, strict=True)]
    return {
        "epochs": curves[0].index.to_list(),
        **along,
        "weak_accuracy": over_units("accuracy", [c["weak_accuracy"].iloc[0] for c in curves], settings.confidence),
        "early_stops": stops,
        "lost_by_early_stop": over_units("difference", lost, settings.confidence),
    }


def _stopped(unit: str, cells: pd.DataFrame, stop: str) -> list[float]:
    curves = [over_epochs(member) for _, member in cells.groupby(unit)]
    epochs = [curve["weak_validation"].idxmin() if stop == "early" else curve.index[-1] for curve in curves]
    return [float(curve["student_accuracy"][epoch]) for curve, epoch in zip(curves, epochs, strict=True)]


def _over(unit: str, cells: pd.DataFrame, statistic: Callable[[pd.DataFrame], float], settings: Intervals) -> Any:
    return over_units(statistic.__name__, [statistic(member) for _, member in cells.groupby(unit)], settings.confidence)


def _diagram(unit: str, rows: pd.DataFrame, settings: Intervals) -> list[dict[str, Any]]:
    """Pooled bins; the interval of a bin's accuracy is over the units that have points in it, if those are most."""
    units, total, found = rows[unit].nunique(), rows["count"].sum(), []
    for number, bin_rows in rows.groupby("bin"):
        weights = bin_rows["count"] / bin_rows["count"].sum()
        pooled = {name: float((weights * bin_rows[name]).sum()) for name in ("confidence", "frequency")}
        spread = over_units("accuracy", bin_rows["frequency"].to_list(), settings.confidence)
        ends = {"low": spread.low, "high": spread.high} if 2 * len(bin_rows) > units else {"low": None, "high": None}
        found.append({"bin": int(number), "share": float(bin_rows["count"].sum() / total), **pooled, **ends})
    return found


def _ece_of(bins: list[dict[str, Any]]) -> float:
    return sum(item["share"] * abs(item["confidence"] - item["frequency"]) for item in bins)


def _ece(unit: str, cells: pd.DataFrame, settings: Intervals) -> dict[str, Any]:
    means = {role: cells.groupby(unit)[f"{role}_ece"].mean() for role in ROLES}
    return {role: over_units("ece", values.to_list(), settings.confidence) for role, values in means.items()}


def _constant(cells: pd.DataFrame, column: str) -> float:
    """C of a bound column, from bound = C sqrt(disagreement) and the forward misfit where the row has it."""
    forward = cells[cells["direction"] == "forward"]
    return float((forward[column] / np.sqrt(forward["misfit"])).median())


def _limits(cells: pd.DataFrame) -> dict[str, list[float]]:
    highest = float(cells[["gain", "misfit"]].to_numpy().max()) * 1.05
    lowest = min(0.0, float(cells["gain"].min()))
    margin = 0.03 * highest  # both axes span the same, so that every panel is a square
    return {"gain": [lowest - margin, highest], "misfit": [-margin, highest - lowest]}


FIGURES: dict[str, Figure] = {
    "yao_kl_gain": Figure(
        "kl", "yao_classification", "Gain against misfit in KL: three students, three panels.", kl_gain
    ),
    "yao_bounds": Figure(
        "digits", "yao_classification", "The student's risk stays within a bound of its teacher's.", bounds
    ),
    "yao_calibration": Figure(
        "digits",
        "yao_classification",
        "Calibration of teacher, student and ceiling; the bound on its change.",
        calibrations,
    ),
    "yao_overoptimisation": Figure(
        "digits",
        "yao_classification",
        "Training on weak labels for long: what is gained first and lost later.",
        overoptimisation,
    ),
    "yao_noise": Figure(
        "digits", "yao_classification", "Label noise: forward cross-entropy against reverse KL.", noise
    ),
    "yao_reliability": Figure(
        "digits",
        "yao_classification",
        "Reliability: accuracy by confidence of teacher, student and ceiling.",
        reliability,
    ),
}
