"""Figure 2 d-f of Charikar et al.: misfit against gain on a molecule set, for each weak model and split."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from pipeline.core.config import Intervals
from pipeline.core.errors import InputError
from pipeline.summary.estimates import over_units, plain, ratio_over_units
from pipeline.summary.panels import axis_limits
from pipeline.summary.statistics import gain_over_misfit
from pipeline.summary.tables import Tables
from pipeline.summary.words import written

STUDY = "published/molecules_study"
GPU_STUDY = "published/molecules_gpu"  # at the papers' size
# The paper's protocol first, as far as it is known: it is the figure; the others stand beside it.
PROTOCOLS = (("adamw", "same"), ("adamw", "half"), ("ball", "same"), ("ball", "half"))
LADDERS = {"smiles": "SMILES transformers", "morgan": "Morgan counts"}
MEASURED = ("gain", "misfit", "weak_error", "student_error", "ceiling_error")


def molecules(tables: Tables, dataset: str, settings: Intervals) -> dict[str, Any]:
    """Numbers of one data set: every rung of both ladders by split, and its mean over splits with an interval."""
    cells = full_labels(tables["molecules"]).query("dataset == @dataset")
    groups = [_protocol(member, head, inputs, settings) for head, inputs, member in _protocols(cells)]
    if not groups:
        raise InputError(
            f"results/molecules/cells.csv has no cell of {dataset}; name it under molecules.data.datasets "
            "in params.yaml and run `dvc repro`"
        )
    study = tables.get(STUDY)
    published = [] if study is None else _published(study, dataset, settings)
    large = [] if GPU_STUDY not in tables else _published(_finetuned(tables[GPU_STUDY]), dataset, settings)
    return plain(
        {
            "dataset": dataset,
            "reading": _reading(groups[0]),
            "confidence": settings.confidence,
            "limits": _limits([*groups, *published, *large]),
            "protocols": groups,
            "study_published": study is not None,
            "study": published,
            **({"gpu_study": large} if large else {}),
        }
    )


def _published(study: pd.DataFrame, dataset: str, settings: Intervals) -> list[dict[str, Any]]:
    cells = full_labels(study).query("dataset == @dataset")
    return [_protocol(member, head, inputs, settings) for head, inputs, member in _protocols(cells)]


def _finetuned(cells: pd.DataFrame) -> pd.DataFrame:
    """The teachers that the laptop's study has too; that on a GPU also has frozen ones."""
    return cells[cells["training"] == "finetuned"]


def full_labels(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells whose teacher saw all labels of its training part; the others belong to the low-sample figure."""
    return cells[cells["regime"] == "full"]


def _protocols(cells: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for head, inputs in PROTOCOLS:
        member = cells[(cells["head"] == head) & (cells["inputs"] == inputs)]
        if len(member):
            yield head, inputs, member


def _protocol(cells: pd.DataFrame, head: str, inputs: str, settings: Intervals) -> dict[str, Any]:
    ladders = []
    for name in LADDERS:
        member = cells[cells["ladder"] == name]
        rungs = [_rung(group, int(size), settings.confidence) for size, group in member.groupby("weak_size")]
        if rungs:
            ratios = [gain_over_misfit(group) for _, group in member.groupby("split")]
            ratio = over_units("gain_over_misfit", ratios, settings.confidence)
            ladders.append({"ladder": name, "label": LADDERS[name], "rungs": rungs, "gain_over_misfit": ratio})
    return {"head": head, "inputs": inputs, "ladders": ladders}


def _rung(cells: pd.DataFrame, size: int, confidence: float) -> dict[str, Any]:
    # Seeds of pretraining are averaged within a split, so that the interval is over splits alone.
    splits = cells.groupby("split")[list(MEASURED)].mean()
    over_splits = {name: over_units(name, splits[name].to_list(), confidence) for name in MEASURED}
    over_splits["gain_over_misfit"] = ratio_over_units(splits["gain"], splits["misfit"], confidence)
    return {
        "size": size,
        "splits": splits.reset_index()[["split", "gain", "misfit"]].to_dict("records"),
        "over_splits": over_splits,
    }


def _limits(groups: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    points = [
        point for group in groups for ladder in group["ladders"] for rung in ladder["rungs"] for point in rung["splits"]
    ]
    return axis_limits([point["gain"] for point in points], [point["misfit"] for point in points])


def _reading(protocol: dict[str, Any]) -> str:
    texts = [f"{ladder['label']} {written(plain(ladder['gain_over_misfit']))}" for ladder in protocol["ladders"]]
    splits = len(protocol["ladders"][0]["rungs"][0]["splits"])
    return f"Mean gain / mean misfit over {splits} splits: {', '.join(texts)}."
