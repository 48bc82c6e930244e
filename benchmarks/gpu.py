"""Our training loop against the plain Hugging Face Trainer: same model, molecules, batch size, precision and device.

W2S_DEVICE=cuda python benchmarks/gpu.py

The model is MolBERT's shape on a GPU; on the processor it is a tiny one, which proves that this runs and measures
nothing.  Descriptors are random numbers here, because the time does not depend on them.  On a GPU the record goes to
artifacts/runtime/throughput/benchmark/.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline.core import artifacts, experiments  # noqa: E402
from pipeline.experiments.molecules.common import files  # noqa: E402
from pipeline.models.molecules import smiles as text  # noqa: E402
from pipeline.models.molecules.transformer import Sequences  # noqa: E402
from pipeline.scale import comparison, machine, smiles, throughput  # noqa: E402

DESCRIPTORS, SEED = 26, 0
# Molecules, batch size, steps; the model's hidden size, layers, heads and inner width.
LARGE = (48_000, 512, 80, 768, 12, 12, 3072)
TINY = (2_000, 16, 30, 32, 2, 2, 64)


def molecules(count: int) -> tuple[Sequences, int]:
    """Shipped molecules at even distances, and the size of their vocabulary."""
    _, lines = files.corpus(experiments.load("molecules").settings.data.corpus.source)
    chosen = lines[:: len(lines) // count][:count]
    words = text.vocabulary(chosen, 2)
    return Sequences(*text.encode(chosen, words)), len(words)


def main() -> None:
    """Both ways, then the ratio."""
    device = machine.device()
    count, batch, steps, hidden, layers, attention_heads, inner = LARGE if device.type == "cuda" else TINY
    data, words = molecules(count)
    descriptors = np.random.default_rng(SEED).standard_normal((count, DESCRIPTORS)).astype(np.float32)
    shape = smiles.Shape(hidden, layers, attention_heads, inner, words, DESCRIPTORS)
    record = comparison.ours(shape, data, descriptors, batch, steps)
    slow = comparison.plain(shape, data, descriptors, batch, steps).tokens_per_second
    fast, peak, flops = record["tokens_per_second"], record["peak_flops"], record["flops_per_token"]
    mfu = "" if peak is None else f", MFU {record['mfu']:.1%} against {slow * flops / peak:.1%}"
    print(f"{record['device']}: our loop {fast:.0f} tokens a second, the plain Trainer {slow:.0f}{mfu}")
    if device.type == "cuda":
        artifacts.write_json(throughput.place("benchmark", "trainer"), {**record, "plain_tokens_per_second": slow})
        print(f"gpu: {fast / slow:.2f}x")
    else:
        print(f"gpu: CPU proof only, a tiny model on the processor ({fast / slow:.2f}x); it says nothing about a GPU")


if __name__ == "__main__":
    main()
