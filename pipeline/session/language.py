"""The steps of the session on language models: each shape is pretrained on the same tokens, then reads every text set.

python -m pipeline.session.language <step> <out> <seconds of the benchmark>          (pipeline.session.run does this)

Files of a step: `<model>-<number>.safetensors` with `<set>.<part>` (rows, hidden) float16: features of a text, or of a
pair slot A minus slot B, as the study `preferences_gpu` has them.
"""

import json
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from pipeline.core import artifacts
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import command_line, words
from pipeline.language import loading, reading
from pipeline.language.reading import ReadOut
from pipeline.scale import language, machine, pretraining, throughput
from pipeline.session import steps
from pipeline.session.steps import Call

LARGEST = 16 * 2**20 - 2**12  # bytes of a file that is brought back, less its head
HELD_OUT, SIGNS = "held_out/", ".signs"


def main() -> None:
    """Run one step."""
    words(__doc__)
    models = steps.settings()["models"]
    steps.run({"device": steps.device, **{name: partial(model, name) for name in models}})


def model(name: str, call: Call) -> Mapping[str, Any]:
    """Pretrain one shape and read all sets with it."""
    chosen, found, rates = steps.settings(), material(), steps.STATE / f"{name}-rates.json"
    own = dict(chosen["models"][name])
    rate, shape = own.pop("learning_rate"), language.Shape(**own)
    ladder = pretraining.Ladder(**chosen["ladder"])
    network, record = pretraining.pretrain(shape, rate, ladder, found, steps.STATE / f"{name}-training", rates)
    folder = steps.STATE / name
    shutil.rmtree(folder, ignore_errors=True)
    language.save(network, found.tokenizer, folder)
    loaded = loading.load(folder, chosen["precision"])
    begun = steps.clock()
    features = {key: read(loaded, *texts, chosen["max_tokens"]) for key, texts in sets().items()}
    seconds = steps.clock() - begun
    files = written(features, call.out, name)
    return {
        **artifacts.read_item(rates),
        **record,
        "read_seconds": seconds,
        "peak_memory_bytes": throughput.peak_memory(machine.device()),
        "files": {path.name: artifacts.sha256(path) for path in files},
    }


def read(loaded: loading.Loaded, texts: list[str], signs: np.ndarray | None, most: int) -> np.ndarray:
    """Last layer at the last token, (rows, hidden) float16; of pairs, which follow each other, the difference."""
    features = reading.read(loaded, texts, [ReadOut(loaded.layers, "last")], most)[0]
    if signs is not None:
        features = (features[::2] - features[1::2]) * signs[:, None]
    return features.astype(np.float16)


def written(features: Arrays, out: Path, name: str) -> list[Path]:
    """Write features in as few files as their largest size allows, in order."""
    groups: list[Arrays] = [{}]
    for key, array in features.items():
        if sum(one.nbytes for one in groups[-1].values()) + array.nbytes > LARGEST:
            groups.append({})
        groups[-1][key] = array
    paths = [out / f"{name}-{number}.safetensors" for number in range(1, len(groups) + 1)]
    for path, group in zip(paths, groups, strict=True):
        artifacts.write_arrays(path, group)
    return paths


def material() -> pretraining.Material:
    """Tokenizer and rows."""
    rows = steps.material("rows")
    tokenizer = Tokenizer.from_str(text_of(rows.pop("tokenizer")))
    held_out = {name.removeprefix(HELD_OUT): array for name, array in rows.items() if name.startswith(HELD_OUT)}
    return pretraining.Material(tokenizer, rows["training"], held_out)


def sets() -> dict[str, tuple[list[str], np.ndarray | None]]:
    """Texts of each part of each set, and of pairs +1, or -1 where slot A holds the rejected text."""
    found = steps.material("texts")
    names = [name for name in found if not name.endswith(SIGNS)]
    return {name: (json.loads(text_of(found[name])), found.get(f"{name}{SIGNS}")) for name in sorted(names)}


def letters(text: str) -> np.ndarray:
    """A text as bytes, to travel among arrays."""
    return np.frombuffer(text.encode(), dtype=np.uint8)


def text_of(array: np.ndarray) -> str:
    """The text of such bytes."""
    return array.tobytes().decode()


if __name__ == "__main__":
    command_line(main)
