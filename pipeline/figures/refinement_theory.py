"""Refinement in a mixture of concepts, exact: decay, naive floor, rates, dependence (Somerstep et al. 2024)."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.estimates import over_units, over_units_in_logs, plain
from pipeline.summary.refinement import decay_over_derived
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import number, span

STUDY = "published/refinement"
PAIRS, RISK = "weak pairs in context  n_ICL", "excess risk  (squared label units)"
ANGLES = {
    "angle-30": {"color": "#332288", "marker": "o"},
    "angle-50": {"color": "#AA4499", "marker": "s"},
    "angle-70": {"color": "#DDAA33", "marker": "^"},
}
DEPENDENT = {"broken": "-", "shared": ":"}
METHODS = {"refined": (2, "o", "student of refined labels, 2C"), "in_context": (1, "D", "answers in context, C")}
LONGEST = 64  # weak pairs on the first axis


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Risks over seeds by teacher, method and size; floors; measured and derived rates; dependent contexts."""
    cells = tables[STUDY]
    limit, sample = (cells[cells["head"] == head] for head in ("limit", "sample"))
    angles = [_angle(name, limit, sample, settings.confidence) for name in ANGLES]
    rates = [
        _rate(panel, method, own, settings.confidence)
        for method in METHODS
        for panel, own in limit[limit["method"] == method].groupby("panel", sort=False)
    ]
    crossing = ", ".join(
        f"{entry['angle']:g}° {number(entry['floor'])} from n = {entry['crosses'] or '–'} on" for entry in angles
    )
    return plain(
        {
            "reading": f"Least risk of naive finetuning, and where refinement gets below it: {crossing}. "
            f"Measured over derived decay rate {span(entry['measured'].value / entry['derived'] for entry in rates)}.",
            "confidence": settings.confidence,
            "angles": angles,
            "rates": rates,
            "untuned": float(
                controls_of(tables, STUDY).query("method == 'untuned' and panel == 'angle-30'")["excess_risk"].iloc[0]
            ),
            "dependent": _dependent(limit),
        }
    )


def _angle(name: str, limit: pd.DataFrame, sample: pd.DataFrame, confidence: float) -> Numbers:
    exact, finite = (each[each["panel"] == name] for each in (limit, sample))
    refined = exact[(exact["method"] == "refined") & (exact["n_icl"] <= LONGEST)]
    risks = refined.groupby("n_icl")["excess_risk"].mean()
    floor, rate = float(exact["floor"].iloc[0]), float(exact["derived_rate"].iloc[0])
    below = risks.index[risks < floor]
    return {
        "panel": name,
        "angle": float(exact["angle"].iloc[0]),
        "floor": floor,
        "rate": rate,
        "crosses": int(below[0]) if len(below) else None,
        "refined": {"n_icl": risks.index.to_list(), "risk": risks.to_list()},
        "sample": _over_seeds(finite[finite["method"] == "refined"], "n_icl", confidence),
        "naive": _over_seeds(finite[finite["method"] == "naive"], "eta", confidence),
        "naive_limit": _curve(float(exact["weak_error"].iloc[0]), exact[exact["method"] == "naive"]),
    }


def _curve(weak: float, naive: pd.DataFrame) -> Numbers:
    return {"eta": naive["eta"].to_list(), "risk": naive["excess_risk"].to_list(), "weak": weak}


def _over_seeds(cells: pd.DataFrame, axis: str, confidence: float) -> list[Numbers]:
    return [
        {axis: float(place), **over_units_in_logs(own["excess_risk"].to_list(), confidence)._asdict()}
        for place, own in cells.groupby(axis)
    ]


def _rate(panel: str, method: str, cells: pd.DataFrame, confidence: float) -> Numbers:
    derived = METHODS[method][0] * float(cells["derived_rate"].iloc[0])
    measured = [derived * decay_over_derived(own) for _, own in cells.groupby("seed")]
    return {"panel": panel, "method": method, "derived": derived, "measured": over_units("rate", measured, confidence)}


def _dependent(limit: pd.DataFrame) -> list[Numbers]:
    found = []
    for method in DEPENDENT:
        for rho, own in limit[limit["method"] == method].groupby("dependence"):
            risks = own.groupby("n_icl")["excess_risk"].mean()
            found.append({"method": method, "rho": float(rho), "n_icl": risks.index.to_list(), "risk": risks.to_list()})
    return found


def draw(numbers: Numbers) -> Picture:
    """Decay and floors; the floor over the pull; rates against derived ones; dependent contexts."""
    figure, panels = plt.subplots(2, 2, figsize=(drawing.WIDTH, 6.2))
    _decay(panels[0, 0], numbers)
    _naive(panels[0, 1], numbers)
    _rates(panels[1, 0], numbers)
    _dependence(panels[1, 1], numbers)
    titles = ("decay with weak pairs", "naive finetuning", "rates of decay", "dependent contexts, 30°")
    for letter, title, axes in zip("abcd", titles, panels.flat, strict=True):
        axes.set_title(f"{letter}  {title}", fontweight="bold")
    return figure


def _decay(axes: Axes, numbers: Numbers) -> None:
    for entry in numbers["angles"]:
        look, curve = ANGLES[entry["panel"]], entry["refined"]
        axes.plot(curve["n_icl"], curve["risk"], color=look["color"])
        n, last = np.maximum(curve["n_icl"][-3:], 1.0), curve["risk"][-1]
        slope = last * np.exp(2 * entry["rate"] * (n[-1] - n)) * n[-1] / n
        axes.plot(n, slope, color=drawing.INK, linestyle=":", linewidth=1.6, zorder=4)
        axes.axhline(entry["floor"], color=look["color"], linestyle=(0, (4, 3)), linewidth=0.8)
        for point in entry["sample"]:
            drawing.vertical_interval(axes, point["n_icl"], point, **look)
        axes.plot([], [], label=f"{entry['angle']:g}°", **look)
    axes.plot([], [], color=drawing.INK, linestyle=":", linewidth=1.6, label="slope derived")
    axes.plot([], [], color=drawing.SOFT, linestyle=(0, (4, 3)), linewidth=0.8, label="naive, best pull")
    axes.set(yscale="log", ylim=(1e-6, 3), xlabel=PAIRS, ylabel=RISK)
    axes.legend(loc="lower left", title="teacher's angle", alignment="left")


def _naive(axes: Axes, numbers: Numbers) -> None:
    for entry in numbers["angles"]:
        look, curve = ANGLES[entry["panel"]], entry["naive_limit"]
        places = [_place(eta) for eta in curve["eta"]]
        axes.plot(places, curve["risk"], color=look["color"])
        axes.axhline(entry["floor"], color=look["color"], linestyle=(0, (4, 3)), linewidth=0.8)
        for point in entry["naive"]:
            drawing.vertical_interval(axes, _place(point["eta"]), point, **look)
    axes.axhline(numbers["untuned"], color=drawing.SOFT, linewidth=1.0)
    axes.annotate(
        "un-tuned", (0.3, numbers["untuned"]), xycoords=("axes fraction", "data"), va="bottom", color=drawing.SOFT
    )
    etas = numbers["angles"][0]["naive_limit"]["eta"]
    axes.set(xscale="log", ylim=(0, None), xlabel="pull to the source  η", ylabel=RISK)
    axes.set_xticks([_place(eta) for eta in etas], [f"{eta:g}" for eta in etas])
    axes.minorticks_off()


def _place(eta: float) -> float:
    """Where a pull stands on a log axis, on which 0 has no place."""
    return eta or 0.03


def _rates(axes: Axes, numbers: Numbers) -> None:
    for method, (_, marker, label) in METHODS.items():
        own = [entry for entry in numbers["rates"] if entry["method"] == method]
        look: dict[str, Any] = {
            "color": drawing.ROLE_COLOURS["student"] if method == "refined" else drawing.SOFT,
            "marker": marker,
        }
        for entry in own:
            drawing.vertical_interval(axes, entry["derived"], entry["measured"], **look)
        axes.plot([], [], linestyle="none", markersize=4.5, label=label, **look)
    ends = [
        0.8 * min(entry["derived"] for entry in numbers["rates"]),
        1.2 * max(entry["derived"] for entry in numbers["rates"]),
    ]
    axes.plot(ends, ends, **drawing.EQUAL)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="derived rate  (per pair)",
        ylabel="measured rate  (per pair)",
        aspect="equal",
    )
    axes.legend(loc="upper left")


def _dependence(axes: Axes, numbers: Numbers) -> None:
    rhos = sorted({entry["rho"] for entry in numbers["dependent"]})
    shades = dict(zip(rhos, plt.get_cmap("viridis_r")(np.linspace(0.15, 0.95, len(rhos))), strict=True))
    for entry in numbers["dependent"]:
        axes.plot(entry["n_icl"], entry["risk"], color=shades[entry["rho"]], linestyle=DEPENDENT[entry["method"]])
    for rho in rhos:
        axes.plot([], [], color=shades[rho], label=f"ρ = {rho:g}")
    for name, line in (("pairs break contexts", "-"), ("noise partly shared", ":")):
        axes.plot([], [], color=drawing.INK, linestyle=line, label=name)
    axes.set(yscale="log", ylim=(1e-6, 3), xlabel=PAIRS, ylabel=RISK)
    axes.legend(loc="lower left")


def words(numbers: Numbers) -> str:
    """Risks by angle, and the reading."""
    told = [
        f"Teacher at {entry['angle']:g} degrees: excess risk of the student of refined labels "
        f"{number(entry['refined']['risk'][0])} without weak pairs, {number(entry['refined']['risk'][-1])} with "
        f"{entry['refined']['n_icl'][-1]:g}; naive finetuning at best {number(entry['floor'])}."
        for entry in numbers["angles"]
    ]
    return " ".join([*told, numbers["reading"]])


FIGURES = {
    "refinement_theory": Figure(
        source="somerstep2024",
        cells=(STUDY,),
        caption=(
            "Weak labels refined in context, in a mixture of concepts. (a) Excess risk against weak pairs, for "
            "teachers at three angles to the target: lines in the limit of many labels, points with 500 (ten "
            "seeds); dotted the derived decay exp(-2Cn)/n, dashed the least risk of naive finetuning. (b) The "
            "latter over its pull to the source. (c) Rates measured between 128 and 256 pairs against derived "
            "ones, eight teachers. (d) Contexts whose pairs depend on each other: a pair breaks its context with "
            "probability rho, or pairs share a part rho of their noise."
        ),
        shows="refined labels: risk decays with the context at the derived rate; naive finetuning has a floor",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
