"""Features of texts: sorted batches in bfloat16 against a plain loop over unsorted batches in float32.

python benchmarks/features.py

Prints `features: <ratio>x`, the throughput of `pipeline.language.reading` over the plain loop in tokens a second, on
the same real texts and the pretrained SmolLM2-135M of params.yaml (fetched at the first run).
"""

import json
import lzma
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline.core import experiments  # noqa: E402
from pipeline.experiments.preferences.common import models  # noqa: E402
from pipeline.language import loading, reading  # noqa: E402
from pipeline.language.reading import ReadOut  # noqa: E402

TEXTS, BATCH, VIEW = 128, 16, ReadOut(30, "last")


def plain(loaded: loading.Loaded, texts: list[str]) -> np.ndarray:
    """What one writes first: batches in file order, padded to their longest text."""
    found = []
    for start in range(0, len(texts), BATCH):
        batch = loaded.tokenizer(texts[start : start + BATCH], padding=True, return_tensors="pt")
        with torch.inference_mode():
            states = loaded.network(**batch, output_hidden_states=True).hidden_states[VIEW.layer]
        last = batch["attention_mask"].sum(dim=1) - 1
        found.append(states[torch.arange(len(states)), last].numpy())
    return np.concatenate(found)


def timed(function: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Seconds of one call, and what it returned."""
    started = time.perf_counter()
    found = function()
    return time.perf_counter() - started, found


def main() -> None:
    """Both ways on the same texts, one thread."""
    torch.set_num_threads(1)
    with lzma.open(Path("data/preferences/harmless_test.jsonl.xz"), "rt", encoding="utf-8") as lines:
        texts = [json.loads(next(lines))["chosen"] for _ in range(TEXTS)]
    place = models.place(experiments.load("preferences").settings.represent.models["smollm2"])
    full, half = (loading.load(place.files, precision) for precision in ("float32", "bfloat16"))
    tokens = int(reading.lengths(full, texts).sum())
    for warm in (full, half):
        reading.read(warm, texts[:4], [VIEW], 512)
    slow, expected = timed(lambda: plain(full, texts))
    fast, found = timed(lambda: reading.read(half, texts, [VIEW], 512)[0])
    cosine = np.sum(expected * found, axis=1) / np.linalg.norm(expected, axis=1) / np.linalg.norm(found, axis=1)
    print(f"plain loop {tokens / slow:.0f}, sorted bfloat16 {tokens / fast:.0f} tokens a second; ", end="")
    print(f"least cosine of the features {cosine.min():.4f}")
    print(f"features: {slow / fast:.2f}x")


if __name__ == "__main__":
    main()
