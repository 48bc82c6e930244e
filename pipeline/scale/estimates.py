"""Time and memory to expect of the strong transformer of molecules_gpu, before anything was measured: estimates only.

python -m pipeline.scale.estimates

time = FLOPs a token * tokens / (assumed MFU * peak)
memory = 16 bytes a weight (float32 weight, gradient and AdamW's two moments) + 34 bytes * tokens at once * hidden *
layers (activations in 16 bits, Korthikanti et al. 2022, eq. 2 without the attention matrix, which is never kept)
"""

from typing import NamedTuple

import numpy as np

from pipeline.core import experiments
from pipeline.core.errors import command_line
from pipeline.scale import smiles
from pipeline.scale.throughput import peak_flops

GPU = "NVIDIA H100 80GB HBM3"
ASSUMED_MFU = (0.45, 0.30, 0.15)
# Of every 410th molecule of the corpus, written in random order: mean tokens, and mean over tokens of the length.
MEAN_LENGTH, LENGTH_OF_A_TOKEN = 48.9, 53.4
WORDS = 100  # about; the vocabulary is known when the data are read


class Estimate(NamedTuple):
    """Weights, FLOPs a token, tokens in all, steps, seconds by assumed MFU, and bytes on the device."""

    weights: int
    flops_per_token: float
    tokens: float
    steps: int
    seconds: dict[float, float]
    bytes: float


def estimate() -> Estimate:
    """For the settings in params.yaml."""
    settings = experiments.load("molecules_gpu").settings
    strong, corpus = settings.represent.strong, settings.data.corpus
    shape = smiles.Shape(
        strong.hidden, strong.layers, strong.attention_heads, strong.inner, WORDS, len(corpus.descriptors)
    )
    # The same number that a length for every token gives: lengths of which a token sees LENGTH_OF_A_TOKEN.
    flops = smiles.flops(shape, np.array([LENGTH_OF_A_TOKEN]))
    tokens = corpus.molecules * MEAN_LENGTH * strong.pretraining.epochs
    peak = peak_flops(GPU) or float("nan")
    matrices = strong.layers * (4 * strong.hidden**2 + 2 * strong.hidden * strong.inner)
    at_once = strong.pretraining.batch_size * LENGTH_OF_A_TOKEN
    return Estimate(
        matrices,
        flops,
        tokens,
        strong.pretraining.epochs * corpus.molecules // strong.pretraining.batch_size,
        {mfu: flops * tokens / (mfu * peak) for mfu in ASSUMED_MFU},
        16.0 * matrices + 34.0 * at_once * strong.hidden * strong.layers,
    )


def main() -> None:
    """Print the estimate."""
    found = estimate()
    print(f"weights in matrices    {found.weights / 1e6:.1f} million")
    print(f"model FLOPs a token    {found.flops_per_token / 1e6:.0f} million, forward and backward")
    print(f"tokens                 {found.tokens / 1e6:.0f} million in {found.steps} steps")
    for mfu, seconds in found.seconds.items():
        print(f"time at {mfu:.0%} MFU        {seconds / 60:.1f} minutes on one {GPU} (assumed, not measured)")
    print(f"memory                 {found.bytes / 2**30:.1f} GiB")


if __name__ == "__main__":
    command_line(main, __doc__)
