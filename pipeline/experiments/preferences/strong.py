"""Train students on weak labels and ceilings on true ones; keep what they predict for the test rows.

Items: `<dataset>.<seed>` -> `<rung>/students` (students, n) in the order of `plan`, `<rung>/ceiling` (halves, n: the
weak half's rows, then the truth half's), `curves` (epochs, students, n), `chain` by teacher for bootstrapping, and
`<rung>/<precision>` (n') for the sets read twice; `<dataset>.<seed>.distinct` -> students and ceilings alone.
`full.<dataset>.<seed>` -> finetuned networks, where asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences.common import at_hand, designs, finetuned, students
from pipeline.experiments.preferences.common.designs import Unit
from pipeline.experiments.preferences.settings import Settings
from pipeline.language import heads

Array = np.ndarray


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Frozen students of every set and seed, then finetuned ones."""
    settings = at_hand.present(settings, upstream)
    bundles = (upstream["data"], upstream["represent"], upstream["labels"])
    units = {name: (unit, settings, *bundles) for name, unit in designs.units(settings, upstream["data"]).items()}
    return pool.map(train, units) | pool.map(finetuned.train, finetuned.units(settings, *bundles))


def train(
    unit: Unit,
    settings: Settings,
    data: Mapping[str, Any],
    represent: Mapping[str, Arrays],
    labels: Mapping[str, Arrays],
) -> Arrays:
    """All students of one unit."""
    setting, weak = Setting(unit, settings, data, represent), labels[unit.name]
    ends = {} if unit.distinct else chained(setting, weak)
    found = {f"chain/{teacher}": end for teacher, end in ends.items()}
    for rung in settings.strong.rungs:
        plan, x = students.plan(settings, rung, unit.distinct), setting.design(rung)
        test = x[setting.rows.test]
        targets = np.column_stack([students.targets(plan, weak, ends), setting.truth[setting.rows.weak]])
        rates = [*(one.rate for one in plan), settings.strong.fit.learning_rate]
        fitted = setting.fit(x[setting.rows.weak], targets, [*students.losses(plan), "cross_entropy"], rates)
        other = setting.ceiling(x[setting.rows.truth], setting.truth[setting.rows.truth])
        predicted = heads.predict(test, fitted)[0]
        found[f"{rung}/students"] = predicted[:-1].astype(np.float32)
        found[f"{rung}/ceiling"] = np.stack([predicted[-1], heads.predict(test, other)[0, 0]])
        if rung == settings.strong.focus and settings.strong.curves and not unit.distinct:
            found["curves"] = followed(setting, x[setting.rows.weak], test, weak)
    return found if unit.distinct else found | twice_read(setting, represent)


class Setting:
    """What the fits of one unit share."""

    def __init__(
        self, unit: Unit, settings: Settings, data: Mapping[str, Any], represent: Mapping[str, Arrays]
    ) -> None:
        self.dataset, self.seed, self.settings, self.table = unit.dataset, unit.seed, settings, data[unit.dataset]
        self.represent = represent
        self.rows = designs.parts(self.table, unit, settings.weak)
        self.truth = designs.labels(self.table)

    def design(self, rung: str) -> Array:
        """Scaled features of all rows."""
        return designs.design(self.represent[f"{self.dataset}.{rung}"], designs.is_pairs(self.table), self.rows)

    def fit(
        self, features: Array, targets: Array, losses: Sequence[str], rates: Sequence[float], epochs: Sequence[int] = ()
    ) -> Array:
        """Heads after the main number of epochs, or after each of ``epochs``."""
        options, ends = self.settings.strong.fit, epochs or [self.settings.strong.fit.epochs]
        order = designs.order(self.seed, f"{self.dataset}/students", ends[-1], len(features))
        try:
            return heads.fit(
                features, targets, losses, np.array(rates), order, ends, options.batch_size, options.weight_decay
            )
        except FloatingPointError as error:
            remedy = "lower the rates under strong in {where}"
            raise InputError(f"{self.dataset}, seed {self.seed}: {error}; {remedy}") from None

    def ceiling(self, features: Array, truth: Array) -> Array:
        """One head on true labels."""
        return self.fit(features, truth[:, None], ["cross_entropy"], [self.settings.strong.fit.learning_rate])


def chained(setting: Setting, weak: Arrays) -> dict[str, Array]:
    """Bootstrapping: each rung of the chain learns from the one before it and labels the same rows for the next."""
    teachers = list(setting.settings.weak.teachers)
    labels = np.stack([weak[f"{teacher}/soft/0"] for teacher in teachers], axis=1)
    for rung in setting.settings.strong.chain:
        x = setting.design(rung)[setting.rows.weak]
        rates = [setting.settings.strong.fit.learning_rate] * len(teachers)
        fitted = setting.fit(x, labels, ["cross_entropy"] * len(teachers), rates)
        labels = heads.predict(x, fitted)[0].T
    return dict(zip(teachers, labels.T.astype(np.float32), strict=True))


def followed(setting: Setting, features: Array, test: Array, weak: Arrays) -> Array:
    """Predictions of the focus' students along training, (epochs, students, n)."""
    curves = setting.settings.strong.curves
    plan, epochs = students.curves(setting.settings), curves.epochs if curves else ()
    rates = [one.rate for one in plan]
    fitted = setting.fit(features, students.targets(plan, weak, {}), students.losses(plan), rates, epochs)
    return heads.predict(test, fitted).astype(np.float32)


def twice_read(setting: Setting, represent: Mapping[str, Arrays]) -> Arrays:
    """Ceilings on the first rows of the published truth part in both precisions, for a set that was read twice."""
    count, found = setting.settings.represent.float32_rows.get(setting.dataset, 0), {}
    truth = setting.truth[(setting.table["part"] == "truth").to_numpy()][:count]
    for rung in setting.settings.strong.rungs if count else ():
        for precision in students.PRECISIONS:
            item = f"{setting.dataset}.{rung}" + (".float32" if precision == "float32" else "")
            views = {part: rows[:count] for part, rows in represent[item].items()}
            rows = designs.in_order(views)
            x = designs.design(views, designs.is_pairs(setting.table), rows)
            found[f"{rung}/{precision}"] = heads.predict(x[rows.test], setting.ceiling(x[rows.truth], truth))[0, 0]
    return found
