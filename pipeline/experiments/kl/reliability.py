"""Reliability of teacher, student and ceiling in the panel of the training curves; student by cross-entropy."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.kl.common.curves import CURVE_PANEL
from pipeline.experiments.kl.common.setting import Setting
from pipeline.experiments.kl.settings import Settings
from pipeline.experiments.synthetic.common.panels import PANELS, unit
from pipeline.measures import diagrams


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """The diagrams of every seed, its tasks pooled."""
    bundles = tuple(upstream[name] for name in ("data", "represent", "weak", "strong"))
    tables = [diagram(seed, settings, *(bundle[unit(seed)] for bundle in bundles)) for seed in settings.data.seeds]
    return {"reliability": pd.concat(tables, ignore_index=True)[[*diagrams.COLUMNS]]}


def diagram(
    seed: int, settings: Settings, samples: Arrays, networks: Arrays, teachers: Arrays, fitted: Arrays
) -> pd.DataFrame:
    """Diagrams of one seed."""
    setting = Setting(CURVE_PANEL, "softmax", settings, samples, {**networks, **samples}, teachers)
    place = f"{CURVE_PANEL}.softmax.cross_entropy.{settings.labels.inputs[0]}"
    models = {"weak": setting.teacher}
    models |= {role: setting.predict(fitted[f"{place}.{role}"]) for role in ("student", "ceiling")}
    weak, strong = PANELS[CURVE_PANEL]
    found = diagrams.table(setting.truth, models, settings.evaluate.bins)
    return found.assign(weak=weak, strong=strong, split="", seed=seed)
