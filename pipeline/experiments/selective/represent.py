"""Read every text once by each frozen model, and the strong network's answers from the same pass.

Items: `<set>` -> `features` (n, hidden), what students see, and `zero` (and `few`), the log-odds (n,) of the second
answer over the first after the prompt without (and with) examples; `<set>.<view>` -> `features`; `<case>.<seed>` ->
`features`, `own`; `report`.

The log-odds need no pass of their own: the network's output matrix is its embedding matrix, so the difference of two
logits is the last state times the difference of two embeddings (layer 0 of the answers).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import transformers

from pipeline.core import artifacts
from pipeline.core.artifacts import Arrays
from pipeline.core.errors import InputError
from pipeline.core.parallel import Pool
from pipeline.experiments.preferences.common import models
from pipeline.experiments.preferences.settings import View
from pipeline.experiments.selective.settings import Asked, Represent, Settings
from pipeline.language import cache
from pipeline.language.reading import ReadOut

HOME = artifacts.ARTIFACTS / "features"
WORDS, EMBEDDED = "answers", ReadOut(0, "last")


def run(settings: Settings, upstream: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Features and answers of every set; a unit is one set read by one model in one way."""
    represent, units = settings.represent, {}
    strong = represent.views[represent.strong].model
    if settings.data.datasets:
        speaks(models.place(represent.models[strong]), represent)
    for dataset, chosen in settings.data.datasets.items():
        table, shots = upstream["data"][dataset], upstream["data"][f"{dataset}.shots"]
        views = models.read_outs(strong, represent.views)
        answer = (read_out(represent.views[represent.answer]),)
        asked = {f"{strong}--zero": (strong, views, prompts(table["text"], chosen))}
        if len(shots):
            asked[f"{strong}--few"] = (strong, answer, prompts(table["text"], chosen, shots))
        asked[f"{strong}--{WORDS}"] = (strong, (EMBEDDED,), chosen.answers)
        for name in dict.fromkeys(view.model for view in represent.views.values()):
            if name != strong:
                plain = tuple(table["text"])
                asked[f"{name}--plain"] = (name, models.read_outs(name, represent.views), plain)
        for way, (name, reads, texts) in asked.items():
            place = models.place(represent.models[name])
            order = cache.Order(place.identity, represent.precision, reads, represent.max_tokens, texts)
            units[f"{dataset}--{way}"] = (name, place, order, HOME.resolve())
    found = pool.map(models.features, units)
    items: dict[str, Any] = {"report": counts(found, represent.max_tokens)}
    for dataset in settings.data.datasets:
        items |= of_set(dataset, found, settings)
    for name in settings.data.cases:
        for seed in settings.data.seeds:
            item = upstream["data"][f"{name}.{seed}"]
            items[f"{name}.{seed}"] = {"features": item["x"], "own": item["own"]}
    return items


def read_out(view: View) -> ReadOut:
    """What a view takes from its network."""
    return ReadOut(view.layer, view.pooling)


def speaks(place: models.Place, represent: Represent) -> None:
    """Raise InputError unless answers follow from embeddings and the state of the view ``answer``."""
    where, arguments = place.files, {"revision": place.revision or "main"}
    if isinstance(where, Path) and where.suffix == ".gguf":
        where, arguments["gguf_file"] = where.parent, where.name
    config = transformers.AutoConfig.from_pretrained(where, **arguments)
    view = represent.views[represent.answer]
    told = f"represent.views.{represent.answer} of {{where}}"
    if not config.tie_word_embeddings:
        raise InputError(f"{told}: {view.model} has an output matrix of its own; take one whose embeddings are tied")
    if view.layer != config.num_hidden_layers:
        raise InputError(
            f"{told}: layer {view.layer} is not the last of {view.model}; answers follow {config.num_hidden_layers}"
        )


def prompts(texts: pd.Series, chosen: Asked, shots: pd.DataFrame | None = None) -> tuple[str, ...]:
    """Each text as the question that it is put in, after answered examples."""
    before = ""
    for text, label in () if shots is None else zip(shots["text"], shots["label"], strict=True):
        before += chosen.question.replace("{text}", text) + chosen.answers[int(label > 0.5)] + "\n\n"
    return tuple(before + chosen.question.replace("{text}", text) for text in texts)


def of_set(dataset: str, found: Mapping[str, Arrays], settings: Settings) -> dict[str, Arrays]:
    """Items of one text set."""
    represent, items = settings.represent, {}
    strong = represent.views[represent.strong].model
    words, chosen = found[f"{dataset}--{strong}--{WORDS}"], settings.data.datasets[dataset]
    for answer, length in zip(chosen.answers, words["lengths"], strict=True):
        if length != 1:
            raise InputError(
                f"data.datasets.{dataset}.answers of {{where}}: {answer!r} is {length} tokens of {strong}; an answer "
                "is one: take a shorter word, with the blank before it"
            )
    first, second = words[key(EMBEDDED)]
    for name, view in represent.views.items():
        way = "zero" if view.model == strong else "plain"
        items[f"{dataset}.{name}"] = {"features": found[f"{dataset}--{view.model}--{way}"][key(read_out(view))]}
    own = {"features": items[f"{dataset}.{represent.strong}"]["features"]}
    for prompt in ("zero", "few"):
        if (read := found.get(f"{dataset}--{strong}--{prompt}")) is not None:
            state = read[key(read_out(represent.views[represent.answer]))]
            own[prompt] = state.astype(np.float64) @ (second - first).astype(np.float64)
    return items | {dataset: own}


def key(read: ReadOut) -> str:
    """Its name among the arrays of a reading."""
    return f"{read.layer}.{read.pooling}"


def counts(found: Mapping[str, Arrays], limit: int) -> dict[str, Any]:
    """Tokens read, and texts that were cut, by reading."""
    return {
        name.replace("--", "/"): {
            "tokens": int(np.minimum(arrays["lengths"], limit).sum()),
            "truncated": int((arrays["lengths"] > limit).sum()),
        }
        for name, arrays in found.items()
    }
