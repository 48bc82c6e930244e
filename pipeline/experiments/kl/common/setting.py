"""One panel and family on the evaluation sample: truth, teacher, features, and how students of the family predict."""

import numpy as np

from pipeline.core.artifacts import Arrays
from pipeline.experiments.kl.common import students
from pipeline.experiments.kl.settings import Exact, Settings
from pipeline.experiments.synthetic.common.panels import PANELS, unpack
from pipeline.theory.divergence import mean


class Setting:
    """What the students of one panel and family share: truth, teacher and features on the evaluation sample."""

    def __init__(
        self, panel: str, family: str, settings: Settings, samples: Arrays, networks: Arrays, teachers: Arrays
    ) -> None:
        weak, strong = PANELS[panel]
        self.family, self.floor, self.heads = family, settings.data.floor, samples["pretraining_heads"]
        self.truth = _normalised(samples[f"{family}_evaluation_truth"])
        inputs, name = samples["evaluation_inputs"], f"{family}.{weak}"
        seen = students.features(unpack(weak, networks), inputs)
        self.teacher = students.predict("softmax", seen, teachers[name], self.heads, self.floor)
        self.represented = students.features(unpack(strong, networks), inputs)

    def predict(self, fitted: np.ndarray, tasks: slice = slice(None)) -> np.ndarray:
        """Predictions of students of the first tasks."""
        return students.predict(self.family, self.represented[tasks], fitted, self.heads, self.floor)

    def class_minimum(self, exact: Exact) -> np.ndarray:
        """epsilon: KL(truth, best member of the class) on the evaluation sample itself."""
        loss = "forward_kl" if self.family == "mixture" else "cross_entropy"
        best = students.Student(self.family, loss)
        fitted = students.fit(best, self.represented, self.truth, self.heads, self.floor, exact)["fitted"]
        return mean("forward_kl", self.truth, self.predict(fitted))


def _normalised(probabilities: np.ndarray) -> np.ndarray:
    """Float32 probabilities as float64 rows that sum to 1 exactly."""
    wide = probabilities.astype(np.float64)
    return wide / wide.sum(axis=-1, keepdims=True)
