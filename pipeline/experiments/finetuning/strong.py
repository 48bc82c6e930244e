"""Finetune the strong network on weak labels, on true labels of the same rows (the ceiling), and for the controls.

Items: `<dataset>.<seed>.<teacher>.<soft|hard>`, `<dataset>.<seed>.truth` and, for controls, `.own-<labels>` (true
labels of the teacher's rows) and `.itself.soft` (labels of the network of the most own labels) -> `test` and
`validation` (looks, rows): probabilities of class 1 along training; `objective` (looks,): mean loss of the batches
since the look before.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.finetuning.common import training
from pipeline.experiments.finetuning.common.training import Run
from pipeline.experiments.finetuning.settings import Settings
from pipeline.experiments.preferences.common import models

Array = np.ndarray


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Arrays]:
    """Students and ceilings of every set and seed, then those that a network of their own class teaches."""
    place = models.place(settings.represent.models[settings.strong.model])
    options = (settings.strong, place, settings.represent.max_tokens)
    home = training.HOME.resolve()
    runs = planned(settings, upstream["data"], upstream["labels"])
    found = pool.map(training.train, {name: (one, *options, name, home) for name, one in runs.items()})
    later = taught_by_itself(settings, upstream["data"], found)
    return found | pool.map(training.train, {name: (one, *options, name, home) for name, one in later.items()})


def planned(settings: Settings, data: Mapping[str, Any], labels: Mapping[str, Arrays]) -> dict[str, Run]:
    """What is trained first, by name: a seed's ceiling and students, then the next seed's; controls come last."""
    students, controls = {}, {}
    for dataset in settings.data.datasets:
        for seed in settings.data.seeds:
            rows, truth = Rows(data, dataset, seed), f"{dataset}.{seed}.truth"
            students[truth] = rows.run("weak", rows.labels("weak"))
            for key, target in labels[f"{dataset}.{seed}"].items():
                where = controls if key.split("/")[0] in settings.weak.controls.kinds else students
                where[f"{dataset}.{seed}.{key.replace('/', '.')}"] = rows.run("weak", target)
            for count in own_counts(settings, seed):
                own, asked = rows.labels("truth")[:count], count == max(own_counts(settings, seed))
                controls[f"{dataset}.{seed}.own-{count}"] = rows.run("truth", own, ("weak",) if asked else ())
    return students | controls


def taught_by_itself(settings: Settings, data: Mapping[str, Any], found: Mapping[str, Arrays]) -> dict[str, Run]:
    """Students of a network of their own class, trained on the teacher's rows."""
    if "itself" not in settings.weak.controls.kinds:
        return {}
    runs = {}
    for dataset in settings.data.datasets:
        for seed in settings.weak.controls.seeds:
            teacher = found[f"{dataset}.{seed}.own-{max(own_counts(settings, seed))}"]
            runs[f"{dataset}.{seed}.itself.soft"] = Rows(data, dataset, seed).run("weak", teacher["weak"])
    return runs


def own_counts(settings: Settings, seed: int) -> list[int]:
    """From how many labels of the teacher's rows the strong network learns as a control: as many as some teacher."""
    kinds, controls = {"teachers_labels", "itself"}, settings.weak.controls
    if seed not in controls.seeds or not kinds & set(controls.kinds):
        return []
    counts = sorted({teacher.labels for teacher in settings.weak.teachers.values()}, reverse=True)
    return counts if "teachers_labels" in controls.kinds else counts[:1]


class Rows:
    """Texts and labels of one set and seed."""

    def __init__(self, data: Mapping[str, Any], dataset: str, seed: int) -> None:
        self.table, self.parts = data[dataset], data[f"{dataset}.{seed}"]
        self.dataset, self.seed = dataset, seed

    def texts(self, part: str) -> tuple[str, ...]:
        """Texts of a part."""
        return tuple(self.table["text"].iloc[self.parts[part]])

    def labels(self, part: str) -> Array:
        """True labels of a part, (n,)."""
        return self.table["label"].to_numpy(dtype=np.float64)[self.parts[part]]

    def run(self, part: str, target: Array, after: tuple[str, ...] = ()) -> Run:
        """Training on the first texts of a part, with an epoch's steps those of the student."""
        along = {name: self.texts(name) for name in ("test", "validation")}
        own = self.texts(part)[: len(target)]
        asked = {name: self.texts(name) for name in after}
        return Run(self.dataset, self.seed, own, target, len(self.parts["weak"]), along, asked)
