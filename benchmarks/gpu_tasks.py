"""The synthetic experiment with 100 to 10,000 tasks: heads on the device against the kernels of one processor core.

W2S_DEVICE=cuda python benchmarks/gpu_tasks.py

Panel c of `synthetic` (perturbed truth) at its settings in params.yaml.  For each number of tasks: seconds of teachers
and students by AdamW and exactly, the largest difference of the first tasks' predictions from the processor's kernels
(over their root mean square), and the correlation of gain and misfit.  Without a GPU: few tasks, few epochs, a proof.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline.core import experiments, streams  # noqa: E402
from pipeline.core.artifacts import Arrays  # noqa: E402
from pipeline.experiments.synthetic import represent  # noqa: E402
from pipeline.experiments.synthetic.common import fitting  # noqa: E402
from pipeline.experiments.synthetic.common.panels import unpack  # noqa: E402
from pipeline.experiments.synthetic.data import draw  # noqa: E402
from pipeline.models.network import heads as kernels  # noqa: E402
from pipeline.models.network import mlp  # noqa: E402
from pipeline.scale import heads, machine, throughput  # noqa: E402
from pipeline.theory import misfit  # noqa: E402

SEED, CHECKED = 0, 8  # tasks that the processor computes too
LARGE, LARGE_EPOCHS = (100, 1000, 10_000), 1000
TINY, TINY_EPOCHS = (8, 16), 2


def main() -> None:
    """One line a number of tasks."""
    settings, device = experiments.load("synthetic").settings, machine.device()
    counts, epochs = (LARGE, LARGE_EPOCHS) if device.type == "cuda" else (TINY, TINY_EPOCHS)
    recipe = settings.strong.adamw.model_copy(update={"epochs": epochs})
    for count in counts:
        data = draw(SEED, settings.data.model_copy(update={"tasks": count}))
        networks = represent.perturb(SEED, unpack("truth", data), settings.represent.perturbation)
        print(line(count, *measured(data, networks, recipe, settings.strong.exact)), flush=True)
    if device.type != "cuda":
        print("gpu_tasks: CPU proof only, few tasks and epochs on the processor; it says nothing about a GPU")


def measured(data: Arrays, networks: Arrays, recipe: Any, exact: Any) -> tuple[float, dict[str, float], float]:
    """Seconds on the device, differences from the kernels by kind of head, correlation of gain and misfit."""
    names = ("weak_perturbed", "strong_perturbed")
    weak, strong = (fitting.features(unpack(name, networks), data["inputs"]) for name in names)
    stream = streams.generator(SEED, "gpu-tasks/orders")
    orders = streams.orders(stream, recipe.epochs, weak.shape[1])
    initial = mlp.initialise_heads(stream, len(weak), weak.shape[2])
    adamw = {
        "learning_rate": recipe.learning_rate,
        "weight_decay": recipe.weight_decay,
        "batch_size": recipe.batch_size,
    }
    least = {"min_active": exact.minimum_active, "rcond": exact.relative_condition}
    started = time.perf_counter()
    teachers = heads.fit_adamw(weak, data["truth"], initial, orders, **adamw)
    labels = heads.predict(weak, teachers).astype(np.float32)
    students = heads.fit_adamw(strong, labels, initial, orders, **adamw)
    projections = heads.fit_exact(strong, labels, **least)
    throughput.wait(machine.device())
    seconds = time.perf_counter() - started
    few = slice(CHECKED)
    slow = {
        "adamw": kernels.fit_adamw(weak[few], data["truth"][few], initial[few], orders, **adamw),
        "exact": np.stack([kernels.fit_exact(x, y, **least) for x, y in zip(strong[few], labels[few], strict=True)]),
    }
    compared = {"adamw": (weak[few], teachers[few]), "exact": (strong[few], projections[few])}
    differences = {
        kind: heads.difference(kernels.predict(features, found), kernels.predict(features, slow[kind]))
        for kind, (features, found) in compared.items()
    }
    shown = (heads.predict(weak, teachers), heads.predict(strong, students))
    return seconds, differences, correlation(data["truth"].astype(np.float64), *shown)


def correlation(truth: np.ndarray, weak: np.ndarray, student: np.ndarray) -> float:
    """Of gain and misfit over tasks."""
    return float(np.corrcoef(misfit.gain(truth, weak, student), misfit.misfit(weak, student))[0, 1])


def line(count: int, seconds: float, differences: dict[str, float], value: float) -> str:
    """What is printed; a difference over its tolerance is an error."""
    for kind, size in differences.items():
        if size > heads.RTOL[kind]:
            raise SystemExit(f"{kind} heads differ by {size:.1e} from the kernels', over {heads.RTOL[kind]:.0e}")
    shown = ", ".join(f"{kind} {size:.1e}" for kind, size in differences.items())
    return f"{count} tasks: {seconds:.1f} s; differences {shown}; correlation of gain and misfit {value:.3f}"


if __name__ == "__main__":
    main()
