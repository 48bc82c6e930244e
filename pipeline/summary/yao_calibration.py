"""Calibration of Yao et al. 2025: its error by role and its change against the bounds; reliability diagrams."""

from typing import Any

import pandas as pd

from pipeline.core.config import Intervals
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.tables import Tables
from pipeline.summary.yao_students import PANELS, STUDENTS, last, of, solved

ROLES = ("weak", "student", "ceiling")


def calibrations(tables: Tables, settings: Intervals) -> dict[str, Any]:
    """ECE of teacher, student and ceiling; changes of three calibration errors against the width of B-3."""
    bars = []
    for panel in PANELS:
        for family, loss, direction in STUDENTS:
            kl = solved(tables["kl"])
            chosen = of(kl[kl["panel"] == panel], family, loss, direction)
            bars.append(
                {"experiment": "kl", "group": panel, "class": family, "loss": loss} | _ece("seed", chosen, settings)
            )
    digits = last(tables["digits"])
    for weak in dict.fromkeys(tables["digits"]["weak"]):
        for family, loss, direction in STUDENTS:
            chosen = of(digits[digits["weak"] == weak], family, loss, direction)
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
