"""The synthetic experiment with 100 to 10,000 tasks: heads on the device against the kernels of one processor core.

W2S_DEVICE=cuda python benchmarks/gpu_tasks.py

Panel c of `synthetic` (perturbed truth) at its settings in params.yaml.  For each number of tasks: seconds of teachers
and students by AdamW and exactly, the largest difference of the first tasks' predictions from the processor's kernels
(over their root mean square), and the correlation of gain and misfit.  Without a GPU: few tasks, few epochs, a proof.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline.core import experiments  # noqa: E402
from pipeline.core.artifacts import Arrays  # noqa: E402
from pipeline.scale import heads, machine  # noqa: E402
from pipeline.session import prepare, tasks  # noqa: E402

LARGE, LARGE_EPOCHS = (100, 1000, 10_000), 1000
TINY, TINY_EPOCHS = (8, 16), 2


def main() -> None:
    """One line a number of tasks."""
    settings, device = experiments.load("synthetic").settings, machine.device()
    counts, epochs = (LARGE, LARGE_EPOCHS) if device.type == "cuda" else (TINY, TINY_EPOCHS)
    recipe = settings.strong.adamw.model_copy(update={"epochs": epochs})
    chosen, prepared = prepare.of_tasks(settings, recipe)
    for count in counts:
        print(line(count, *measured(count, chosen, prepared)), flush=True)
    if device.type != "cuda":
        print("gpu_tasks: CPU proof only, few tasks and epochs on the processor; it says nothing about a GPU")


def measured(count: int, chosen: Mapping[str, Any], prepared: Arrays) -> tuple[float, dict[str, float], float]:
    """Seconds on the device, differences from the kernels by kind of head, correlation of gain and misfit."""
    _, record = tasks.measured(count, {**chosen, "exact_tasks": count}, prepared)
    sizes = record["differences"]
    differences = {"adamw": max(sizes["teachers"], sizes["students"]), "exact": sizes["exact"]}
    return record["adamw_seconds"] + record["exact_seconds"], differences, record["correlation_of_gain_and_misfit"]


def line(count: int, seconds: float, differences: dict[str, float], value: float) -> str:
    """What is printed; a difference over its tolerance is an error."""
    for kind, size in differences.items():
        if size > heads.RTOL[kind]:
            raise SystemExit(f"{kind} heads differ by {size:.1e} from the kernels', over {heads.RTOL[kind]:.0e}")
    shown = ", ".join(f"{kind} {size:.1e}" for kind, size in differences.items())
    return f"{count} tasks: {seconds:.1f} s; differences {shown}; correlation of gain and misfit {value:.3f}"


if __name__ == "__main__":
    main()
