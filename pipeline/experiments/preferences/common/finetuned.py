"""Finetuned students and ceilings: which there are, how each is trained, and their cells.

An hour of finetuning is kept by a hash of all that can change it (`artifacts/finetuned`), so that neither another pair
nor a change elsewhere in the study repeats it.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core import artifacts
from pipeline.core.artifacts import Arrays
from pipeline.experiments.preferences.common import designs, measured, models
from pipeline.experiments.preferences.common.designs import Unit
from pipeline.experiments.preferences.common.students import Student
from pipeline.experiments.preferences.settings import Full, Settings
from pipeline.language import reading
from pipeline.language.reading import ReadOut

TRUTH = "truth"  # the teacher of a ceiling
HOME = artifacts.ARTIFACTS / "finetuned"
RECIPE = {"method", "loss", "epochs", "batch_size", "micro_batch", "learning_rate", "lora_rank"}
CODE = ("finetuning", "losses", "reading")  # modules of pipeline/language that make the result


def units(
    settings: Settings, data: Mapping[str, Any], represent: Mapping[str, Any], labels: Mapping[str, Arrays]
) -> dict[str, tuple[Any, ...]]:
    """Arguments of `train` by name of the unit; a ceiling is shared by all teachers of its rung."""
    found = {}
    for dataset, rung, teacher, seed in _runs(settings):
        name = f"full.{dataset}.{rung}.{teacher}.{seed}"
        unit, table = Unit(dataset, seed), data[dataset]
        parts = parts_of(table, settings, unit)
        target = designs.labels(table)[parts.weak]
        if teacher != TRUTH:
            target = labels[unit.name][f"{teacher}/soft/0"][: len(parts.weak)]
        rows, test = texts(table, parts.weak), texts(table, parts.test)
        found[name] = (settings, rung, rows, test, target, seed, HOME.resolve())
    return found


def train(settings: Settings, rung: str, rows: list, test: list, labels: np.ndarray, seed: int, home: Path) -> Arrays:
    """`test`: probabilities of one finetuned network, (n',); read from ``home`` where it lies there."""
    full, view = asked(settings), settings.represent.ladder[rung]
    where = models.place(settings.represent.models[view.model])
    order = {
        "model": where.identity,
        "view": [view.layer, view.pooling],
        "precision": settings.represent.precision,
        "max_tokens": settings.represent.max_tokens,
        "seed": seed,
        **full.model_dump(include=RECIPE),
    }
    kept = home / f"{_digest(order, rows, test, labels)}.safetensors"
    if not kept.exists():
        artifacts.write_arrays(kept, {"test": _finetuned(order, where, rows, test, labels, kept.with_suffix(""))})
        shutil.rmtree(kept.with_suffix(""), ignore_errors=True)  # checkpoints
    return artifacts.read_item(kept)


def _finetuned(
    order: Mapping[str, Any], where: models.Place, rows: list, test: list, labels: np.ndarray, folder: Path
) -> np.ndarray:
    from pipeline.language import finetuning, loading  # slow to import, and only needed here

    recipe = finetuning.Recipe(**{name: order[name] for name in finetuning.Recipe._fields})
    # Master weights stay in float32: a step of 1e-5 would be lost in bfloat16.
    loaded, bfloat16 = loading.load(where.files, "float32", where.revision), order["precision"] == "bfloat16"
    model = finetuning.finetune(loaded, ReadOut(*order["view"]), rows, labels, recipe, folder, bfloat16)
    return finetuning.predict(model, test)


def _digest(order: Mapping[str, Any], rows: list, test: list, labels: np.ndarray) -> str:
    digest = hashlib.sha256(json.dumps([order, rows, test]).encode())
    digest.update(np.ascontiguousarray(labels).tobytes())
    language = Path(reading.__file__).parent
    for name in CODE:
        digest.update((language / f"{name}.py").read_bytes())
    return digest.hexdigest()[:32]


def cells(
    settings: Settings, data: Mapping[str, Any], weak: Mapping[str, Arrays], strong: Mapping[str, Arrays]
) -> Iterator[pd.DataFrame]:
    """A table a finetuned student; none where nothing was finetuned."""
    for dataset, rung, teacher, seed in _runs(settings):
        full = asked(settings)
        if teacher == TRUTH:
            continue
        unit = Unit(dataset, seed)
        parts = parts_of(data[dataset], settings, unit)
        student, ceiling = (strong[f"full.{dataset}.{rung}.{who}.{seed}"]["test"] for who in (teacher, TRUTH))
        taught = {f"{teacher}/test": weak[unit.name][f"{teacher}/test"][: len(student)]}
        plan = [Student("main", rung, teacher, "soft", 0.0, full.loss, full.learning_rate)]
        scene = measured.scene(data[dataset], parts, seed, settings.evaluate, dataset)
        ceilings = np.stack([ceiling, np.full_like(ceiling, np.nan)])
        columns = measured.columns_of(plan, student[None], taught, ceilings, scene, settings.evaluate)
        columns["ceiling_truth_accuracy"] = np.array([np.nan])  # trained on the student's rows only
        yield measured.labelled(plan, columns).assign(
            dataset=dataset,
            seed=seed,
            head=full.method,
            epoch=full.epochs,
            n_train=len(parts.weak),
            n_eval=len(student),
        )


def parts_of(table: pd.DataFrame, settings: Settings, unit: Unit) -> designs.Parts:
    """Rows of each part, the weak and the test part cut to what is used."""
    parts, full = designs.parts(table, unit, settings.weak), asked(settings)
    return parts._replace(weak=parts.weak[: full.rows], test=parts.test[: full.test_rows])


def texts(table: pd.DataFrame, rows: np.ndarray) -> list[tuple[str, ...]]:
    """Slot A and slot B of pairs, or single texts."""
    chosen = table.iloc[rows]
    if not designs.is_pairs(table):
        return [(text,) for text in chosen["text"]]
    slots = zip(chosen["chosen"], chosen["rejected"], chosen["swapped"], strict=True)
    return [(rejected, chosen) if swapped else (chosen, rejected) for chosen, rejected, swapped in slots]


def asked(settings: Settings) -> Full:
    """Settings of finetuning, where something is finetuned."""
    assert settings.strong.full is not None
    return settings.strong.full


def _runs(settings: Settings) -> Iterator[tuple[str, str, str, int]]:
    full = settings.strong.full
    if full is None:
        return
    wanted = {rung: [TRUTH, *(teacher for teacher, other in full.pairs if other == rung)] for _, rung in full.pairs}
    for dataset in full.datasets:
        for rung, teachers in wanted.items():
            for teacher in teachers:
                for seed in full.seeds:
                    yield dataset, rung, teacher, seed
