"""Finetuned students and ceilings: which there are, how each is trained, and their cells."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.artifacts import Arrays
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences.common import designs, measured, models
from pipeline.experiments.preferences.common.settings import Settings
from pipeline.experiments.preferences.common.students import Student
from pipeline.language.reading import ReadOut

TRUTH = "truth"  # the teacher of a ceiling


def units(
    settings: Settings, data: Mapping[str, Any], represent: Mapping[str, Any], labels: Mapping[str, Arrays], pool: Pool
) -> dict[str, tuple[Any, ...]]:
    """Arguments of `train` by name of the unit; a ceiling is shared by all teachers of its rung."""
    found = {}
    for dataset, rung, teacher, seed in _runs(settings):
        name = f"full.{dataset}.{rung}.{teacher}.{seed}"
        table, parts = data[dataset], parts_of(data[dataset], settings, dataset, seed)
        target = designs.labels(table)[parts.weak]
        if teacher != TRUTH:
            target = labels[designs.unit(dataset, seed)][f"{teacher}/soft/0"][: len(parts.weak)]
        rows, test = texts(table, parts.weak), texts(table, parts.test)
        found[name] = (settings, rung, rows, test, target, seed, pool.checkpoint(name).with_suffix(""))
    return found


def train(settings: Settings, rung: str, rows: list, test: list, labels: np.ndarray, seed: int, folder: Path) -> Arrays:
    """`test`: probabilities of one finetuned network, (n',)."""
    from pipeline.language import finetuning, loading  # slow to import, and only needed here

    full, view = settings.strong.full, settings.represent.ladder[rung]
    where = models.place(settings.represent.models[view.model])
    recipe = finetuning.Recipe(
        full.method,
        full.loss,
        full.epochs,
        full.batch_size,
        full.micro_batch,
        full.learning_rate,
        full.lora_rank,
        settings.represent.max_tokens,
        seed,
    )
    # Master weights stay in float32: a step of 1e-5 would be lost in bfloat16.
    loaded = loading.load(where.files, "float32", where.revision)
    bfloat16 = settings.represent.precision == "bfloat16"
    model = finetuning.finetune(loaded, ReadOut(view.layer, view.pooling), rows, labels, recipe, folder, bfloat16)
    return {"test": finetuning.predict(model, test)}


def cells(
    settings: Settings, data: Mapping[str, Any], weak: Mapping[str, Arrays], strong: Mapping[str, Arrays]
) -> Iterator[pd.DataFrame]:
    """A table a finetuned student; none where nothing was finetuned."""
    full = settings.strong.full
    for dataset, rung, teacher, seed in _runs(settings):
        if teacher == TRUTH:
            continue
        parts = parts_of(data[dataset], settings, dataset, seed)
        student, ceiling = (strong[f"full.{dataset}.{rung}.{who}.{seed}"]["test"] for who in (teacher, TRUTH))
        taught = {f"{teacher}/test": weak[designs.unit(dataset, seed)][f"{teacher}/test"][: len(student)]}
        plan = [Student("main", rung, teacher, "soft", 0.0, full.loss, full.learning_rate)]
        scene = measured.scene(data[dataset], parts, seed, settings.evaluate, dataset)
        ceilings = np.stack([ceiling, np.full_like(ceiling, np.nan)])
        columns = measured.columns_of(plan, student[None], taught, ceilings, scene, settings.evaluate)
        columns["ceiling_truth_accuracy"] = np.array([np.nan])  # trained on the student's rows only
        yield measured.labelled(plan, columns).assign(
            experiment="preferences",
            dataset=dataset,
            split="",
            seed=seed,
            head=full.method,
            epoch=full.epochs,
            n_train=len(parts.weak),
            n_eval=len(student),
        )


def parts_of(table: pd.DataFrame, settings: Settings, dataset: str, seed: int) -> designs.Parts:
    """Rows of each part, the weak and the test part cut to what is used."""
    parts, full = designs.parts(table, dataset, seed, settings.weak.parts, settings.weak.seeds[0]), settings.strong.full
    return parts._replace(weak=parts.weak[: full.rows], test=parts.test[: full.test_rows])


def texts(table: pd.DataFrame, rows: np.ndarray) -> list[tuple[str, ...]]:
    """Slot A and slot B of pairs, or single texts."""
    chosen = table.iloc[rows]
    if not designs.is_pairs(table):
        return [(text,) for text in chosen["text"]]
    slots = zip(chosen["chosen"], chosen["rejected"], chosen["swapped"], strict=True)
    return [(rejected, chosen) if swapped else (chosen, rejected) for chosen, rejected, swapped in slots]


def _runs(settings: Settings) -> Iterator[tuple[str, str, str, int]]:
    full = settings.strong.full
    wanted = {rung: [TRUTH, *(teacher for teacher, other in full.pairs if other == rung)] for _, rung in full.pairs}
    for dataset in full.datasets:
        for rung, teachers in wanted.items():
            for teacher in teachers:
                for seed in full.seeds:
                    yield dataset, rung, teacher, seed
