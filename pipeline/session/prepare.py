"""Prepare a session: one folder with code, settings and material, for a machine without network, DVC, pydantic, RDKit.

python -m pipeline.session.prepare molecules|language <folder>
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import pack, publish
from pipeline.core import artifacts, experiments, files, keys, stage
from pipeline.core.artifacts import Arrays, Bundle
from pipeline.core.config import AdamW
from pipeline.core.errors import InputError, command_line, words
from pipeline.experiments.molecules_gpu.represent import datasets, recipe
from pipeline.experiments.preferences.common.texts import PARTS
from pipeline.experiments.preferences.pretrain import ladder
from pipeline.experiments.preferences.represent import texts_of
from pipeline.experiments.synthetic import represent
from pipeline.experiments.synthetic.common import fitting
from pipeline.experiments.synthetic.common.panels import pack as named
from pipeline.experiments.synthetic.common.panels import unpack
from pipeline.experiments.synthetic.data import draw
from pipeline.experiments.synthetic.settings import Settings as Synthetic
from pipeline.models.network import heads
from pipeline.scale import pretraining
from pipeline.session import language, molecules, run, steps, tasks

PREPARED, TASKS_PREPARED, EXACT = 8, 10_000, 1_000  # tasks for the processor, for the device, and exact ones of these
BENCHMARK_STEPS, PRETRAINING_SECONDS = 5_000, 300
# Of preferences_gpu: shapes left out, tokens that each network sees, and those that travel, which are gone round again.
LEFT_OUT, TOKENS, DISTINCT = ("neox-410m",), 64_000_000, 16_000_000
ROWS = 1_300  # of each part of each text set
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", "W2S_CHECKPOINT_SECONDS": "120"}
# Of each step: seconds after which it is stopped, and seconds that the steps before leave it.
MOLECULES = {
    "device": (60, 30),
    "trainer": (110, 50),
    "ours": (200, 80),
    "pretraining": (380, 120),
    "features": (60, 35),
    "heads": (160, 70),
}

LANGUAGE = (300, 60)  # each shape


def main() -> None:
    """Make the folder and say what is in it and how to use it."""
    given = words(__doc__)
    if len(given) != 2 or given[0] not in KINDS:
        raise InputError(f"usage: python -m pipeline.session.prepare {'|'.join(KINDS)} <folder>")
    target = Path(given[1])
    for path, size in prepare(given[0], target).items():
        print(f"{pack.megabytes(size):>10}  {path}")
    print(f"there:  cd {target} && W2S_DEVICE=cuda python3 -m pipeline.session.run <out>")


def prepare(kind: str, target: Path) -> dict[str, int]:
    """Put code, settings and material in a folder, in place of those of a session; returns the bytes of its parts.

    Raises InputError where the folder holds anything else, and when it is over the limit of a pack.
    """
    own = {keys.PACKAGE.name, steps.MATERIAL.parts[0], steps.STATE.parts[0]}  # also of one that was killed
    if foreign := sorted(path.name for path in target.glob("*") if path.name not in own):
        raise InputError(
            f"{target} holds {foreign[0]}, which is of no session; name a folder that is empty or not there"
        )
    chosen, material = KINDS[kind]()
    code = keys.reached(
        [keys.PACKAGE / "__init__.py", *(Path(module.__file__) for module in (run, molecules, language))]
    )
    shutil.rmtree(target, ignore_errors=True)
    for path in code:
        artifacts.write_bytes(target / "pipeline" / path.relative_to(keys.PACKAGE), path.read_bytes())
    for name, arrays in material.items():
        artifacts.write_bytes(target / steps.place(name), steps.compressed(arrays))
    made = {"kind": kind, "revision": publish.revision(), "code_sha256": keys.code(code), **chosen}
    artifacts.write_json(target / steps.SETTINGS, made)
    sizes = {str(path): path.stat().st_size for path in sorted((target / steps.MATERIAL).iterdir())}
    total = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    if total > pack.LIMIT:
        raise InputError(f"{target} has {pack.megabytes(total)}, over the limit of {pack.megabytes(pack.LIMIT)}")
    return {**sizes, str(target): total}


def of_molecules() -> tuple[dict[str, Any], dict[str, Arrays]]:
    """Settings and material of the session on molecules; the data of the study are made where they are missing."""
    experiment = experiments.load("molecules_gpu")
    data, strong = bundle("molecules_gpu"), experiment.settings.represent.strong
    size = {name: getattr(strong, name) for name in ("hidden", "layers", "attention_heads", "inner")}
    read = {name: molecules.packed(data[name]) for name in datasets(data)}
    tokens = data["corpus"]
    synthetic = experiments.load("synthetic").settings
    chosen, prepared = of_tasks(synthetic, synthetic.strong.adamw)
    return {
        "shape": {**size, "words": len(data["vocabulary"]), "descriptors": tokens["descriptors"].shape[1]},
        "recipe": recipe(strong.pretraining)._asdict(),
        "seed": strong.seed,
        "datasets": list(read),
        "params": experiment.settings.model_dump(mode="json"),
        "data_sha256": artifacts.sha256(data.folder),
        "benchmark_steps": BENCHMARK_STEPS,
        "pretraining_seconds": PRETRAINING_SECONDS,
        "tasks": chosen,
        "steps": limits(MOLECULES),
        "environment": ENVIRONMENT,
    }, {
        "corpus": {**molecules.packed(tokens), "descriptors": molecules.rounded(tokens["descriptors"])},
        "downstream": {f"{name}.{part}": array for name, arrays in read.items() for part, array in arrays.items()},
        "tasks": prepared,
    }


def of_tasks(settings: Synthetic, own: AdamW) -> tuple[dict[str, Any], Arrays]:
    """Settings of the synthetic tasks, and what the processor's kernels make of the first of them."""
    least = settings.strong.exact
    chosen = {
        **{name: getattr(settings.data, name) for name in ("samples", "input_dimension", "width", "input_deviation")},
        "tasks": TASKS_PREPARED,
        "exact_tasks": EXACT,
        "epochs": own.epochs,
        "adamw": {name: getattr(own, name) for name in ("learning_rate", "weight_decay", "batch_size")},
        "exact": {"min_active": least.minimum_active, "rcond": least.relative_condition},
    }
    data = draw(tasks.SEED, settings.data.model_copy(update={"tasks": PREPARED}))
    truth = unpack("truth", data)
    drawn = represent.perturb(tasks.SEED, truth, settings.represent.perturbation)
    networks = {role: unpack(f"{role}_perturbed", drawn) for role in ("weak", "strong")}
    weak, strong = (fitting.features(networks[role], data["inputs"]) for role in ("weak", "strong"))
    initial, orders = tasks.start(PREPARED, chosen)
    teachers = heads.fit_adamw(weak, data["truth"], initial, orders, **chosen["adamw"])
    taught = heads.predict(weak, teachers).astype(np.float32)
    exact = [heads.fit_exact(x, y, **chosen["exact"]) for x, y in zip(strong, taught, strict=True)]
    stored = {
        name: array for role, one in {"truth": truth, **networks}.items() for name, array in named(role, one).items()
    }
    return chosen, {
        **stored,
        "weak": weak,
        "strong": strong,
        "labels": data["truth"],
        "teachers": teachers,
        "taught": taught,
        "students": heads.fit_adamw(strong, taught, initial, orders, **chosen["adamw"]),
        "exact": np.stack(exact),
    }


def of_language() -> tuple[dict[str, Any], dict[str, Arrays]]:
    """Settings and material of the session on language models: tokens of the corpora, and texts of four sets."""
    settings = experiments.load("preferences_gpu").settings
    shared = ladder(settings.pretrain)._replace(tokens=TOKENS)
    paths = {name: files.found(f"corpus '{name}'", corpus) for name, corpus in settings.pretrain.corpora.items()}
    with tempfile.TemporaryDirectory() as home:
        found = pretraining.material(shared._replace(tokens=min(TOKENS, DISTINCT)), paths, Path(home))
    models = {name: one.model_dump() for name, one in settings.pretrain.models.items() if name not in LEFT_OUT}
    return {
        "ladder": shared._asdict(),
        "models": models,
        "precision": settings.represent.precision,
        "max_tokens": settings.represent.max_tokens,
        "params": settings.model_dump(mode="json"),
        "rows": ROWS,
        "steps": limits({"device": MOLECULES["device"], **dict.fromkeys(models, LANGUAGE)}),
        "environment": {**ENVIRONMENT, "W2S_MICRO_BATCH": "64"},
    }, {
        "rows": {
            "training": found.training,
            **{f"{language.HELD_OUT}{name}": rows for name, rows in found.held_out.items()},
            "tokenizer": language.letters(found.tokenizer.to_str()),
        },
        "texts": texts(),
    }


def texts() -> Arrays:
    """Texts of every part of the sets of preferences_gpu and of finetuning, as bytes, and which slot is which."""
    made: Arrays = {}
    pairs, phrases = bundle("preferences_gpu"), bundle("finetuning")
    first = experiments.load("finetuning").settings.data.seeds[0]
    tables = {name: pairs[name] for name in experiments.load("preferences_gpu").settings.data.datasets}
    parts = {f"{name}.{part}": table[table["part"] == part] for name, table in tables.items() for part in PARTS}
    for name in experiments.load("finetuning").settings.data.datasets:
        parts |= {f"{name}.{part}": phrases[name].iloc[phrases[f"{name}.{first}"][part]] for part in PARTS}
    for name, rows in parts.items():
        made[name] = language.letters(json.dumps(texts_of(rows.head(ROWS))))
        if "swapped" in rows:
            made[f"{name}{language.SIGNS}"] = np.where(rows["swapped"].head(ROWS), np.float32(-1), np.float32(1))
    return made


def bundle(study: str) -> Bundle:
    """The data of a study for a GPU, made here where they are missing."""
    if not artifacts.folder("data", study).exists():
        os.environ.setdefault("W2S_DEVICE", "cpu")
        stage.run("data", study)
    return Bundle(artifacts.folder("data", study))


def limits(table: Mapping[str, tuple[int, int]]) -> dict[str, dict[str, int]]:
    """Seconds of each step as plain values."""
    return {name: {"most": most, "least": least} for name, (most, least) in table.items()}


KINDS = {"molecules": of_molecules, "language": of_language}

if __name__ == "__main__":
    command_line(main)
