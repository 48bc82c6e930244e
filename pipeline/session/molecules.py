"""The steps of the session on molecules: MolBERT's shape on all SMILES, and synthetic tasks by the thousand.

python -m pipeline.session.molecules <step> <out> <seconds of the benchmark>          (pipeline.session.run does this)
"""

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from safetensors import safe_open

from pipeline.core import artifacts
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import command_line, words
from pipeline.models.molecules.special import PAD
from pipeline.models.molecules.transformer import Sequences
from pipeline.scale import checkpoints, comparison, machine, smiles, throughput
from pipeline.scale.training import OutOfTime
from pipeline.session import steps, tasks
from pipeline.session.steps import Call

GRID = 32  # descriptors travel in so many steps a standard deviation, one byte each
CALIBRATED = 60  # steps from which the rate of training is foretold
SPARE = 0.93  # share of the time that is planned for; the rest is for kept states and what compiles late


class Corpus(NamedTuple):
    """What is trained on."""

    sequences: Sequences
    descriptors: np.ndarray


def main() -> None:
    """Run one step."""
    words(__doc__)
    steps.run(
        {
            "device": steps.device,
            "trainer": trainer,
            "ours": ours,
            "pretraining": pretraining,
            "features": features,
            "heads": heads,
        }
    )


def trainer(call: Call) -> Mapping[str, Any]:
    """The plain Trainer for the seconds of the benchmark."""
    chosen, found = steps.settings(), corpus()
    shape, batch, most = shape_of(chosen), chosen["recipe"]["batch_size"], chosen["benchmark_steps"]
    made = comparison.plain(shape, *found, batch, most, min(call.benchmark, steps.left()))
    name = throughput.device_name(machine.device())
    flops, peak = smiles.flops(shape, found.sequences.lengths), throughput.peak_flops(name)
    mfu = None if peak is None else made.tokens_per_second * flops / peak
    return {"device": name, **made._asdict(), "flops_per_token": flops, "mfu": mfu}


def ours(call: Call) -> Mapping[str, Any]:
    """Our loop for as many steps as the Trainer made, and the ratio of both."""
    slow = artifacts.read_item(steps.record_of("trainer"))
    chosen = steps.settings()
    record = comparison.ours(shape_of(chosen), *corpus(), chosen["recipe"]["batch_size"], slow["steps"])
    return {**record, "times_the_trainer": record["tokens_per_second"] / slow["tokens_per_second"]}


def pretraining(call: Call) -> Mapping[str, Any]:
    """Train for as many epochs as the time allows; the state is kept for the features, the losses are brought back."""
    chosen, found, rates = steps.settings(), corpus(), steps.STATE / "pretraining-rates.json"
    shape, recipe = shape_of(chosen), smiles.Pretraining(**chosen["recipe"])
    tried = comparison.ours(shape, *found, recipe.batch_size, CALIBRATED)
    a_pass = len(smiles.planned(found.sequences.lengths, recipe._replace(epochs=1), chosen["seed"]))
    tokens = int(found.sequences.lengths.sum(dtype=np.int64))
    time = SPARE * min(steps.left(), chosen["pretraining_seconds"])
    epochs = min(recipe.epochs, time * tried["tokens_per_second"] / tokens)
    most = max(1, int(epochs * a_pass))
    own, model = recipe._replace(epochs=max(1, math.ceil(epochs))), smiles.initialised(shape, chosen["seed"])
    (steps.STATE / checkpoints.NAME).unlink(missing_ok=True)  # of another number of steps
    with suppress(OutOfTime):  # its state is kept, and what it has learnt is read from there
        smiles.pretrain(model, shape, *found, own, chosen["seed"], steps.STATE, rates, most)
    with safe_open(steps.STATE / checkpoints.NAME, framework="np") as state:
        made, curve = int(state.metadata()["step"]), state.get_tensor("curve")
    artifacts.write_arrays(call.out / "losses.safetensors", {"losses": curve[:made]})
    last = curve[max(0, made - a_pass) : made].mean(axis=0)
    return {
        **artifacts.read_item(rates),
        "planned_steps": most,
        "steps": made,
        "epochs": made / a_pass,
        "molecules": len(found.sequences.lengths),
        "recipe": own._asdict(),
        "last_epoch_losses": {"tokens": float(last[0]), "descriptors": float(last[1])},
    }


def features(call: Call) -> Mapping[str, Any]:
    """Features of every downstream molecule in float16, and what made them."""
    chosen, read = steps.settings(), downstream()
    model = smiles.initialised(shape_of(chosen), chosen["seed"])
    with safe_open(steps.STATE / checkpoints.NAME, framework="pt") as state:
        names = [name for name in state.keys() if name.startswith("model.")]  # noqa: SIM118 (no mapping)
        model.load_state_dict({name.removeprefix("model."): state.get_tensor(name) for name in names})
        made = int(state.metadata()["step"])
    begun = steps.clock()
    full = {name: smiles.represent(model, sequences) for name, sequences in read.items()}
    seconds = steps.clock() - begun
    path, short = call.out / "features.safetensors", {name: array.astype(np.float16) for name, array in full.items()}
    if not all(np.isfinite(array).all() for array in short.values()):
        raise FloatingPointError("a feature is not finite in float16")
    artifacts.write_arrays(path, short)
    return {
        "device": throughput.device_name(machine.device()),
        "molecules": {name: len(array) for name, array in short.items()},
        "hidden": model.words.in_features,
        "read_seconds": seconds,
        "peak_memory_bytes": throughput.peak_memory(machine.device()),
        "float16_relative_error": max(
            float(np.abs(short[name] - full[name]).max() / full[name].std()) for name in full
        ),
        "pretraining_steps": made,
        "bytes": path.stat().st_size,
        "sha256": artifacts.sha256(path),
    }


def heads(call: Call) -> Mapping[str, Any]:
    """Heads of all synthetic tasks; gain and misfit of each are brought back."""
    chosen = steps.settings()["tasks"]
    outcome, record = tasks.measured(chosen["tasks"], chosen, steps.material("tasks"))
    artifacts.write_arrays(call.out / "tasks.safetensors", outcome)
    memory = throughput.peak_memory(machine.device())
    return {"device": throughput.device_name(machine.device()), "peak_memory_bytes": memory, **record}


def shape_of(chosen: Mapping[str, Any]) -> smiles.Shape:
    """The shape of the model."""
    return smiles.Shape(**chosen["shape"])


def packed(arrays: Arrays) -> Arrays:
    """Tokens without padding, one after the other, and lengths."""
    tokens, lengths = arrays["tokens"], arrays["lengths"]
    kept = tokens[np.arange(tokens.shape[1]) < lengths[:, None]]
    return {"tokens": kept.astype(np.uint8 if kept.max() < 256 else np.uint16), "lengths": lengths}


def unpacked(tokens: np.ndarray, lengths: np.ndarray) -> Sequences:
    """The sequences that were packed."""
    padded = np.full((len(lengths), lengths.max()), PAD, dtype=np.int16)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = tokens
    return Sequences(padded, lengths)


def rounded(descriptors: np.ndarray) -> np.ndarray:
    """Standardised descriptors (n, d) on their grid, (d, n) int8."""
    return np.clip(np.round(descriptors.T * GRID), -127, 127).astype(np.int8)


def corpus() -> Corpus:
    """The corpus of the material."""
    found = steps.material("corpus")
    descriptors = np.ascontiguousarray(found["descriptors"].T, dtype=np.float32) / GRID
    return Corpus(unpacked(found["tokens"], found["lengths"]), descriptors)


def downstream() -> dict[str, Sequences]:
    """The downstream sets of the material."""
    found = steps.material("downstream")
    names = steps.settings()["datasets"]
    return {name: unpacked(found[f"{name}.tokens"], found[f"{name}.lengths"]) for name in names}


if __name__ == "__main__":
    command_line(main)
