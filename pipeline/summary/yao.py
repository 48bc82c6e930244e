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
from pipeline.summary.yao_calibration import calibrations, reliability
from pipeline.summary.yao_students import PANELS, STUDENTS, last, of, solved, widest
from pipeline.theory.intervals import Estimate

LOSSES = ("cross_entropy", "reverse_kl")
DRAWN_TASKS = 20  # of each seed, where every task would blacken the figure


def kl_gain(tables: Tables, settings: Intervals) -> dict[str, Any]:
    """Gain and misfit of every task by student and panel; their ratio in both directions over seeds."""
    cells, panels = solved(tables["kl"]), []
    for family, loss, direction in STUDENTS:
        for panel in PANELS:
            chosen = cells[cells["panel"] == panel]
            own = of(chosen, family, loss, direction)
            ratios = {
                name: _over("seed", of(chosen, family, loss, name), gain_over_misfit, settings)
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
    groups: list[dict[str, Any]] = []
    with_noise: list[Estimate] = []
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
            with_noise += difference[1:]
    better, worse = sum(value.low > 0 for value in with_noise), sum(value.high < 0 for value in with_noise)
    total = len(with_noise)
    reading = f"Of {total} noisy settings reverse KL is more accurate in {better}, less accurate in {worse}."
    return plain({"reading": reading, "confidence": settings.confidence, "groups": groups})


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
