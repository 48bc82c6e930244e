"""Figures of a study on data of one's own, as `python -m pipeline.new` asks for them; none of the repository's.

Two a study: what each pair of teacher and student came to, and gain against misfit (for squared loss also on the rows
that the student was fitted on, where the bound is a theorem).  Control teachers are grey.
"""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core import artifacts
from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.figures.controls import TEACHERS
from pipeline.figures.gain_against_misfit import SCATTER
from pipeline.summary import pairs
from pipeline.summary.designs import overlap
from pipeline.summary.estimates import over_units, plain
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import span, written
from pipeline.theory.intervals import Estimate

PLACES = {"": "on the test rows", "train_": "on the student's own rows"}
STUDENT = {"control": "student of a control teacher", "": "student"}


def figures(study: str) -> dict[str, Figure]:
    """Both figures of a study, for FIGURES of a module in this folder."""
    cells = f"{artifacts.PUBLISHED}/{study}"
    return {
        f"{study}_pairs": Figure(
            study,
            (cells,),
            f"{study}: teacher, student and ceiling of every pair, with the performance gap recovered (PGR).",
            f"own data `{study}`: weak, student, ceiling and PGR of every pair",
            partial(pair_numbers, cells),
            draw_pairs,
            pair_words,
        ),
        f"{study}_gain": Figure(
            study,
            (cells,),
            f"{study}: gain against misfit, a point a pair; the line is where both are equal.",
            f"own data `{study}`: gain against misfit of every pair",
            partial(gain_numbers, cells),
            draw_gain,
            gain_words,
        ),
    }


def pair_numbers(name: str, tables: Tables, settings: Intervals) -> Numbers:
    """Every pair's roles and PGR, and the students of controls."""
    cells, shared = tables[name], overlap(name, "seed")
    found = [pair._asdict() for pair in pairs.pairs(cells, settings.confidence, shared)]
    defined = [pair["pgr"].value for pair in found if pair["pgr"] is not None]
    reading = f"PGR is {span(defined)} in {len(defined)} of {len(found)} pairs" if defined else "PGR is not defined"
    told = {"reading": f"{reading}; elsewhere the gap may be zero.", "measure": pairs.measure(cells)}
    aside = [
        {"control": kind, "student": over_units("student", own.to_list(), settings.confidence, shared)}
        for kind, own in _students(controls_of(tables, name)).items()
    ]
    return plain({**told, "confidence": settings.confidence, "pairs": found, "controls": aside})


def _students(cells: pd.DataFrame) -> dict[str, pd.Series]:
    """Students' measures by kind of control, in the order of their names in the legend."""
    students = pairs.by_role(cells)["student"]
    return {kind: students[cells["control"] == kind] for kind in TEACHERS if (cells["control"] == kind).any()}


def draw_pairs(numbers: Numbers) -> Picture:
    """A row a pair, by student; roles along x with intervals, PGR at the right; controls below in grey."""
    found, aside = numbers["pairs"], numbers["controls"]
    rows = len(found) + len(aside)
    figure, axes = plt.subplots(figsize=(drawing.WIDTH, 0.9 + 0.24 * rows))
    for place, pair in enumerate(found):
        for role, shift in zip(pairs.ROLES, (-0.2, 0.0, 0.2), strict=True):
            look = {"label": role if place == 0 else None, **drawing.role_style(role)}
            drawing.horizontal_interval(axes, place + shift, pair["roles"][role], **look)
        pgr = written(pair["pgr"]) if pair["pgr"] else "–"
        axes.text(1.01, place, pgr, transform=axes.get_yaxis_transform(), va="center")
    for place, row in enumerate(aside, start=len(found)):
        look = {"label": STUDENT["control"] if place == len(found) else None, "color": drawing.SOFT, "marker": "o"}
        drawing.horizontal_interval(axes, place, row["student"], **look)
    names = [f"{pair['weak']} → {pair['strong']}" for pair in found] + [TEACHERS[row["control"]] for row in aside]
    axes.set_yticks(range(rows), names)
    axes.set(ylim=(rows - 0.4, -0.6), xlabel=numbers["measure"])
    axes.text(1.01, 1.01, "PGR", transform=axes.transAxes, va="bottom", fontweight="bold")
    axes.tick_params(axis="y", length=0)
    drawing.legend_above(figure, axes, columns=4)
    return figure


def pair_words(numbers: Numbers) -> str:
    """Each role's range, and the PGR."""
    roles = ", ".join(
        f"{role} {span(pair['roles'][role]['value'] for pair in numbers['pairs'])}" for role in pairs.ROLES
    )
    return f"Dots with intervals, a row a pair: {numbers['measure']} of {roles}. {numbers['reading']}"


def gain_numbers(name: str, tables: Tables, settings: Intervals) -> Numbers:
    """Gain and misfit of every pair, mean over seeds, on the test and, where the cells hold it, on its own rows."""
    cells, shared = pairs.plainly_trained(tables[name]), overlap(name, "seed")
    whose = {"": cells, "control": controls_of(tables, name)}
    places = [place for place in reversed(PLACES) if f"{place}gain" in cells]
    points = [
        {
            "place": place,
            "kind": kind,
            "teacher": str(names[0]),
            "strong": str(names[1]),
            **{
                axis: over_units(axis, own[f"{place}{axis}"].to_list(), settings.confidence, shared)
                for axis in ("gain", "misfit")
            },
        }
        for place in places
        for kind, table in whose.items()
        for names, own in table.groupby(["control" if kind else "weak", "strong"], sort=False)
    ]
    # Controls can lie far out, and would press the pairs into a corner: those beyond are named, not drawn.
    ends = [point for point in points if not point["kind"]]
    drawn = {axis: [end for point in ends for end in _ends(point[axis])] for axis in ("gain", "misfit")}
    ratios = {place: _ratio(cells, place) for place in places}
    reading = "; ".join(f"gain / misfit is {value:.2f} {PLACES[place]}" for place, value in ratios.items())
    unit = "nats" if pairs.is_classification(cells) else "squared label units"
    told = {"reading": f"Of all pairs together {reading}.", "unit": unit, "places": places}
    return plain({**told, "confidence": settings.confidence, "points": points, "limits": _limits(drawn)})


def _limits(drawn: Mapping[str, list[float]]) -> dict[str, tuple[float, float]]:
    """Ranges of the axes: all ends of intervals and 0, with a margin; gain and misfit each on its own scale."""
    found = {}
    for axis, ends in drawn.items():
        low, high = min(0.0, *ends), max(0.0, *ends)
        margin = 0.06 * (high - low or 1)
        found[axis] = (low - margin, high + margin)
    return found


def _ends(estimate: Estimate) -> list[float]:
    return [end for end in estimate[:3] if math.isfinite(end)]


def _ratio(cells: pd.DataFrame, place: str) -> float:
    return float(cells[f"{place}gain"].mean() / cells[f"{place}misfit"].mean())


def draw_gain(numbers: Numbers) -> Picture:
    """A panel for each set of rows, on one scale."""
    places = numbers["places"]
    size = (drawing.WIDTH * (0.6 if len(places) == 1 else 1), drawing.WIDTH * 0.5)
    figure, grid = plt.subplots(1, len(places), figsize=size, squeeze=False, sharey=True)
    for axes, place, letter in zip(grid.flat, places, "ab", strict=False):
        own = [point for point in numbers["points"] if point["place"] == place]
        _scatter(axes, own, numbers["limits"])
        axes.axline((0, 0), slope=1, label="gain = misfit", **drawing.EQUAL)
        axes.set(xlim=numbers["limits"]["gain"], ylim=numbers["limits"]["misfit"])
        axes.set_xlabel(f"gain  d(w, t) − d(s, t)  [{numbers['unit']}]")
        if len(places) > 1:
            axes.set_title(f"{letter}  {PLACES[place]}", fontweight="bold")
    grid[0, 0].set_ylabel(f"misfit  d(s, w)  [{numbers['unit']}]")
    drawing.legend_above(figure, grid[0, 0], columns=3)
    beyond = [point["teacher"] for point in numbers["points"] if not _is_within(point, numbers["limits"])]
    if beyond:
        named = ", ".join(TEACHERS[teacher] for teacher in dict.fromkeys(beyond))
        figure.supxlabel(f"further out, not drawn: {named}", fontsize=8, color=drawing.SOFT)
    return figure


def _scatter(axes: Axes, points: list[Numbers], limits: Numbers) -> None:
    seen: set[str] = set()
    for point in (point for point in points if _is_within(point, limits)):
        look: dict[str, Any] = (
            {"color": drawing.SOFT, "marker": "X"} if point["kind"] else drawing.role_style("student")
        )
        label = None if point["kind"] in seen else STUDENT[point["kind"]]
        seen.add(point["kind"])
        x, y = point["gain"]["value"], point["misfit"]["value"]
        drawing.horizontal_interval(axes, y, point["gain"], **look)
        drawing.vertical_interval(axes, x, point["misfit"], label=label, **look)


def _is_within(point: Numbers, limits: Numbers) -> bool:
    return all(limits[axis][0] <= point[axis]["value"] <= limits[axis][1] for axis in ("gain", "misfit"))


def gain_words(numbers: Numbers) -> str:
    """What is drawn, and the ratio."""
    points = [point for point in numbers["points"] if not point["kind"]]
    ranges = {axis: span(point[axis]["value"] for point in points) for axis in ("gain", "misfit")}
    return f"{SCATTER}. Gain {ranges['gain']}, misfit {ranges['misfit']} {numbers['unit']}. {numbers['reading']}"
