"""Text sets made fit for training: texts and labels checked, equal pairs left out, prompts compared between parts."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.core import streams
from pipeline.core.errors import InputError
from pipeline.experiments.preferences.settings import TextSet

PARTS = ("truth", "weak", "test")


def formatted(name: str, part: str, table: pd.DataFrame, settings: TextSet, seed: int) -> pd.DataFrame:
    """Columns `chosen`, `rejected` (preference) or `text`, `label` (classification), and the normalised `prompt`."""
    stream = streams.generator(seed, f"preferences/{name}/{part}/format")
    made = FORMATS[settings.format](table, stream)
    texts = ["chosen", "rejected"] if settings.task == "preference" else ["text"]
    for column in texts:
        bad = ~made[column].map(lambda value: isinstance(value, str) and bool(value.strip())).to_numpy(dtype=bool)
        if bad.any():
            raise InputError(f"text set '{name}', {part}: row {int(bad.argmax())} has an empty {column}; drop the row")
    if settings.task == "classification":
        made["label"] = _labels(name, part, made["label"])
    return made.assign(prompt=[prompt(text, settings.separator) for text in made[texts[0]]])


def prompt(text: str, separator: str) -> str:
    """What stands before the last separator, in lower case, letters and digits only."""
    return " ".join(re.findall(r"\w+", text.rsplit(separator, 1)[0].lower()))


def without_equal_pairs(table: pd.DataFrame) -> pd.DataFrame:
    """Pairs whose texts differ; all rows of a classification set."""
    return table[table["chosen"] != table["rejected"]] if "chosen" in table else table


def divided(name: str, pool: pd.DataFrame, sizes: Mapping[str, int], seed: int) -> dict[str, pd.DataFrame]:
    """Parts of a pool that share no prompt: the first row of each prompt, in random order, cut by ``sizes``."""
    pool = pool.drop_duplicates("prompt")
    if len(pool) < sum(sizes.values()):
        raise InputError(
            f"text set '{name}': {len(pool)} different prompts are fewer than the {sum(sizes.values())} of its sizes; "
            f"lower data.datasets.{name}.sizes in {{where}}"
        )
    order = streams.generator(seed, f"preferences/{name}/parts").permutation(len(pool))
    ends = np.cumsum([sizes[part] for part in PARTS])
    return {part: pool.iloc[rows] for part, rows in zip(PARTS, np.split(order, ends), strict=False)}


def shared_prompts(parts: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Rows of the first part whose normalised prompt also stands in the second, by `first/second`."""
    pairs = (("truth", "test"), ("weak", "test"), ("truth", "weak"))
    return {f"{a}/{b}": int(parts[a]["prompt"].isin(set(parts[b]["prompt"])).sum()) for a, b in pairs}


def _labels(name: str, part: str, labels: pd.Series) -> np.ndarray:
    numbers = pd.to_numeric(labels, errors="coerce").to_numpy(dtype=np.float64)
    bad = ~((numbers >= 0) & (numbers <= 1))
    if bad.any():
        row = int(bad.argmax())
        raise InputError(
            f"text set '{name}', {part}: row {row} has the label {labels.iloc[row]}; a label lies between 0 and 1"
        )
    return numbers


def _sciq(table: pd.DataFrame, stream: np.random.Generator) -> pd.DataFrame:
    """Burns et al.: the correct answer or one random distractor, by a coin."""
    right, which = stream.random(len(table)) < 0.5, stream.integers(1, 4, len(table))
    options = table[["distractor1", "distractor2", "distractor3"]].to_numpy()
    answers = np.where(right, table["correct_answer"], options[np.arange(len(table)), which - 1])
    texts = [f"Q: {question} A: {answer}" for question, answer in zip(table["question"], answers, strict=True)]
    return pd.DataFrame({"text": texts, "label": right.astype(np.float64)})


def _boolq(table: pd.DataFrame, stream: np.random.Generator) -> pd.DataFrame:
    """Burns et al.: the passage, then the question; the label is its answer."""
    texts = [
        f"Passage: {passage}\nQuestion: {ask}" for passage, ask in zip(table["passage"], table["question"], strict=True)
    ]
    return pd.DataFrame({"text": texts, "label": table["answer"].astype(np.float64)})


def _as_it_is(table: pd.DataFrame, stream: np.random.Generator) -> pd.DataFrame:
    return table.reset_index(drop=True)


FORMATS = {"plain": _as_it_is, "sciq": _sciq, "boolq": _boolq}
