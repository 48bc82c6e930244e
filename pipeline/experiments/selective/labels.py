"""Ask the strong model, learn where it is right (P(IK)), and put together what each student learns from.

Items: `<unit>` -> `targets` (students, m), labels of the student's rows in the order of `plan`; `tau` (students,), -1
where none is used; `chosen` (students, m), where the label is the strong model's own; `scores/<selector>` (n,) of all
rows: estimated probabilities that the strong model's answer is right.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core import streams
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences.common import designs
from pipeline.experiments.selective.common import graph, units
from pipeline.experiments.selective.common.plans import COVERAGE, MAIN, SELECTING, TAU, Student, plan, selectors
from pipeline.experiments.selective.common.units import Unit
from pipeline.experiments.selective.settings import Settings
from pipeline.language import heads

Array = np.ndarray
UNUSED = -1.0  # a threshold that none can be, where there is none: bundles hold no NaN


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Labels of every unit."""
    bundles = (upstream["data"], upstream["represent"], upstream["weak"])
    named = units.units(settings.data)
    return pool.map(label, {name: (unit, settings, *bundles) for name, unit in named.items()})


def label(
    unit: Unit, settings: Settings, data: Mapping[str, Any], represent: Mapping[str, Arrays], weak: Mapping[str, Arrays]
) -> Arrays:
    """Labels of one unit's students."""
    parts, taught = data[unit.name], weak[unit.name]
    odds = units.log_odds(unit, data, represent, settings.labels.prompts)
    scores = judged(unit, odds, settings, data, represent)
    joined = neighbours(unit, settings, data, represent)
    where = f"{unit.dataset}, {unit.draw}"
    spread = {
        name: graph.spread(joined, taught[f"{name}/weak"] > 0.5, settings.labels.graph.alpha, where)
        for name in units.teachers(unit, settings)
    }
    truth, held, rows = units.truth(unit, data), parts["validation"], parts["weak"]
    knows, says = (odds > 0) == truth, {name: taught[f"{name}/validation"] > 0.5 for name in spread}
    targets, taus, chosen = [], [], []
    for student in plan(unit, settings):
        tau, kept = UNUSED, np.full(len(rows), student.method == "self")
        if student.selector:
            own = scores[student.selector.name]
            if student.panel == MAIN:
                tau = threshold(own[held], knows[held], says[student.teacher] == truth[held], settings)
            elif student.panel == TAU:
                tau = student.level
            kept = most(own[rows], student.level) if student.panel == COVERAGE else own[rows] > tau
        targets.append(np.where(kept, odds[rows] > 0, others(student, taught, spread, unit)))
        taus.append(tau)
        chosen.append(kept)
    return {
        "targets": np.array(targets, dtype=np.float32),
        "tau": np.array(taus, dtype=np.float64),
        "chosen": np.array(chosen, dtype=np.float32),
        **{f"scores/{name}": own.astype(np.float32) for name, own in scores.items()},
    }


def judged(
    unit: Unit, odds: Array, settings: Settings, data: Mapping[str, Any], represent: Mapping[str, Arrays]
) -> Arrays:
    """Scores of all rows by selector, in [0, 1]."""
    x = units.design(unit, data, represent)
    *learned, margin, shuffled = selectors(unit, settings)
    sources = (unit, *units.others(unit, settings.data))
    found = {
        judge.name: heads.predict(x, p_ik(source, settings, data, represent))[0, 0]
        for judge, source in zip(learned, sources, strict=True)
    }
    found[margin.name] = 1 / (1 + np.exp(-np.abs(odds)))
    stream = streams.generator(unit.draw, f"selective/{unit.dataset}/shuffled")
    dealt = found[learned[0].name].copy()
    for part in ("weak", "validation", "test"):
        rows = data[unit.name][part]
        dealt[rows] = stream.permutation(dealt[rows])
    return found | {shuffled.name: dealt}


def p_ik(unit: Unit, settings: Settings, data: Mapping[str, Any], represent: Mapping[str, Arrays]) -> Array:
    """Weights (1, d + 1, 1) of the head that says whether the strong model's answer is right.

    Trained on true labels of the part `truth`.  Raises InputError where its answers there are all right, or all wrong.
    """
    rows, options = data[unit.name]["truth"], settings.labels.fit
    right = (units.log_odds(unit, data, represent, settings.labels.prompts) > 0) == units.truth(unit, data)
    if right[rows].all() or not right[rows].any():
        word = "right" if right[rows].all() else "wrong"
        raise InputError(
            f"{unit.dataset}, {unit.draw}: all {len(rows)} answers of the strong model that P(IK) could learn from are "
            f"{word}; raise data.datasets.{unit.dataset}.sizes.truth in {{where}}, or leave the set out"
        )
    x, order = units.design(unit, data, represent)[rows], _order(unit, "p_ik", options.epochs, len(rows))
    target, rates = right[rows].astype(np.float32)[:, None], np.array([options.learning_rate])
    return heads.fit(
        x, target, ["cross_entropy"], rates, order, [options.epochs], options.batch_size, options.weight_decay
    )


def threshold(scores: Array, knows: Array, says: Array, settings: Settings) -> float:
    """The tau with the most right labels on validation rows; of several the highest, which trusts the teacher.

    knows, says: whether the strong model and the teacher are right, (m,).
    """
    taus = sorted(settings.labels.taus, reverse=True)
    right = [np.where(scores > tau, knows, says).mean() for tau in taus]
    return float(taus[int(np.argmax(right))])


def most(scores: Array, share: float) -> Array:
    """Whether each row is of the share with the highest scores, (m,)."""
    rank = np.argsort(np.argsort(-scores, kind="stable"), kind="stable")
    return np.asarray(rank < round(share * len(scores)))


def others(student: Student, taught: Arrays, spread: Mapping[str, Array], unit: Unit) -> Array:
    """Labels of the rows that are not the strong model's own, (m,)."""
    soft = taught[f"{student.teacher}/weak"]
    hard = (soft > 0.5).astype(np.float64)
    if student.control == "constant":
        return np.ones_like(hard)
    if student.control == "shuffled_labels":
        return streams.generator(unit.draw, f"selective/{unit.dataset}/labels").permutation(hard)
    if student.method == "naive_soft":
        return soft
    return spread[student.teacher] if student.method in ("smoothing", SELECTING[1]) else hard


def neighbours(unit: Unit, settings: Settings, data: Mapping[str, Any], represent: Mapping[str, Arrays]) -> Any:
    """Graph of the student's rows by their strong features."""
    options = settings.labels.graph
    x = units.design(unit, data, represent)[data[unit.name]["weak"], :-1]
    return graph.neighbours(x, options.neighbours, options.similarity)


def _order(unit: Unit, name: str, epochs: int, rows: int) -> Array:
    return designs.order(unit.draw, f"selective/{unit.dataset}/{name}", epochs, rows)
