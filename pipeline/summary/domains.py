"""Every domain of the repository on one scale: gain over misfit, and how far the truth is from the student's class.

For any student gain / misfit = 1 - 2 rho sqrt(epsilon / misfit) with rho = (misfit - gain) / (2 sqrt(epsilon misfit)):
on the rows that rho was measured on this is an identity and predicts nothing (in KL as well, where the same form is the
second-order one).  So a pair of teacher and student is predicted with the rho of the *other* pairs of its table: then
it says how much of gain / misfit is explained by the distance of the truth from the class alone.

epsilon is the class minimum where the cells hold it, else the ceiling's error, which is no smaller.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.summary.designs import overlap
from pipeline.summary.estimates import ratio_over_units
from pipeline.summary.pairs import PLAIN
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.yao_students import last, own_direction, solved
from pipeline.theory.intervals import Estimate

Select = Callable[[pd.DataFrame], pd.DataFrame]
NOTHING = 1e-4  # misfit as a share of the teacher's error at which gain / misfit is 0 / 0
REACHED = 1e-3  # sqrt(epsilon / misfit) at which the class holds the truth
NO_STUDENT = "teachers_labels"  # a control without a teacher


class Domain(NamedTuple):
    """Cells of one kind of data: their table, which of them, what makes a pair, and the unit of intervals."""

    name: str
    table: str
    select: Select
    pair: tuple[str, ...]
    unit: str = "seed"


class Pair(NamedTuple):
    """Measured of one pair: gain / misfit over units, sqrt(epsilon / misfit), and what epsilon is."""

    pair: tuple[str, ...]
    ratio: Estimate
    distance: float
    is_minimum: bool


def _asked(query: str) -> Select:
    return lambda cells: cells.query(query)


def _naive(cells: pd.DataFrame) -> pd.DataFrame:
    """Students of soft labels by the plain loss; in KL the direction in which a ceiling's error is KL(t, s) as well."""
    for column, value in {**PLAIN, "direction": "reverse"}.items():
        if column in cells and (cells[column] == value).any():
            cells = cells[cells[column] == value]
    return cells


def _at_focus(cells: pd.DataFrame) -> pd.DataFrame:
    """Students by reverse KL, which the cells of language models hold in that direction, on the rung of the curves."""
    focus = cells.loc[cells["panel"] == "curve", "strong"].iloc[0]
    own = cells.query("panel == 'main' and head == 'frozen' and labels == 'soft' and loss == 'reverse_kl'")
    return own[own["strong"] == focus]


def _solved(cells: pd.DataFrame) -> pd.DataFrame:
    return own_direction(solved(cells))


def _digits(family: str) -> Select:
    return lambda cells: last(cells).query(f"direction == 'reverse' and `class` == '{family}'")


TAUGHT = ("dataset", "weak", "strong")
TRAINED = (*TAUGHT, "head", "loss")
LADDER = "regime == 'full' and training == 'frozen' and head == 'ball' and inputs == 'half' and panel == 'random'"
# A new study is a line here; one that is not published is passed over.  Columns of `pair` that it lacks do not count.
DOMAINS = (
    Domain("random networks", "synthetic", _asked("head == 'exact' and inputs == 'fresh'"), ("panel",)),
    Domain("random networks", "published/realizability", _asked("head == 'adamw'"), ("schedule", "epochs")),
    Domain("molecules", "molecules", _asked(LADDER), ("dataset", "weak"), "split"),
    Domain(
        "molecules", "published/molecules_scaling", _asked("inputs == 'own' and sample == 'whole'"), TAUGHT, "split"
    ),
    Domain("essays", "published/essays", _asked("panel == 'main'"), TAUGHT),
    Domain("essays", "published/essays", _asked("panel == 'joined'"), TAUGHT),
    Domain("random networks, KL", "kl", _solved, ("panel", "class", "loss")),
    Domain("digits, KL", "digits", _digits("mixture"), ("weak", "class", "loss"), "split"),
    Domain("digits, KL", "digits", _digits("softmax"), ("weak", "class", "loss"), "split"),
    Domain("language, KL", "published/preferences", _at_focus, TAUGHT),
    Domain("language, KL", "published/selective", _naive, TRAINED),
    Domain("images, KL", "published/vision", _naive, TRAINED),
    Domain("under shift", "published/shift", _naive, TRAINED),
)


def measured(domain: Domain, tables: Tables, confidence: float) -> list[Pair]:
    """Pairs of real teachers; none where the domain has no cells."""
    if domain.table not in tables:
        return []
    return _pairs(domain, domain.select(tables[domain.table]), domain.pair, confidence)


def controls(domain: Domain, tables: Tables, confidence: float) -> list[Pair]:
    """Students of control teachers, by their kind as well."""
    if domain.table not in tables:
        return []
    cells = controls_of(tables, domain.table)
    cells = cells[cells["control"] != NO_STUDENT]
    return [] if cells.empty else _pairs(domain, domain.select(cells), (*domain.pair, "control"), confidence)


def predicted(pairs: Sequence[Pair]) -> list[float]:
    """gain / misfit of each pair by the rho of the others of one table, (pairs,); NaN where no other has one.

    rho of the others: the median of theirs, so that no pair with a misfit near 0 decides alone; a pair whose class
    holds the truth has none.
    """
    distance, short = np.array([(pair.distance, 1 - pair.ratio.value) for pair in pairs]).T
    rho = np.divide(short, 2 * distance, out=np.full(len(pairs), np.nan), where=distance > REACHED)
    others = [np.delete(rho, place) for place in range(len(pairs))]
    known = [float(np.nanmedian(own)) if np.isfinite(own).any() else np.nan for own in others]
    return (1 - 2 * np.array(known) * distance).tolist()  # type: ignore[no-any-return]


def _pairs(domain: Domain, cells: pd.DataFrame, names: tuple[str, ...], confidence: float) -> list[Pair]:
    shared = overlap(domain.table, domain.unit)
    found = []
    for key, own in cells.groupby([name for name in names if name in cells], sort=False, dropna=False):
        is_minimum = bool(own["epsilon"].notna().all())
        own = own.assign(least=own["epsilon"] if is_minimum else own["ceiling_error"])
        means = own.groupby(domain.unit)[["gain", "misfit", "least", "weak_error"]].mean()
        if len(means) < 2 or means["misfit"].mean() < NOTHING * means["weak_error"].mean():
            continue
        ratio = ratio_over_units(means["gain"].to_list(), means["misfit"].to_list(), confidence, shared)
        distance = float(np.sqrt(means["least"].mean() / means["misfit"].mean()))
        if np.isfinite(distance):
            found.append(Pair(tuple(map(str, key)), ratio, distance, is_minimum))
    return found
